"""Stripe's refusals: one exception, and a function for each kind that the simulator gives."""

from __future__ import annotations

from typing import Any, Final

DOCS: Final = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """An answer other than success.

    is_kept: the request had begun to act, so an idempotency key replays this answer; parameters that failed validation
    leave nothing behind.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        is_kept: bool = False,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.code, self.param, self.is_kept = code, param, is_kept
        self.more = more or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON answer. Members that do not apply are absent, as Stripe leaves them out."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, **self.more}
        if self.code is not None:
            error |= {"code": self.code, "doc_url": DOCS + self.code.replace("_", "-")}
        if self.param is not None:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """400: the parameters are wrong; nothing was begun."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param)


def refused(message: str, *, param: str | None = None, code: str | None = None, **more: Any) -> ApiError:
    """400: the object's state does not allow it."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, is_kept=True, more=more)


def missing(noun: str, id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """No such object: 404 when it was named in the path, 400 when in a parameter."""
    return ApiError(
        status, "invalid_request_error", f"No such {noun}: '{id}'", code="resource_missing", param=param
    )


def declined(code: str, decline_code: str, message: str, **more: Any) -> ApiError:
    """402: the card's bank said no."""
    return ApiError(
        402, "card_error", message, code=code, is_kept=True, more={"decline_code": decline_code, **more}
    )


def unauthorised(message: str, *, code: str | None = None) -> ApiError:
    """401: no key, or not this account's."""
    return ApiError(401, "invalid_request_error", message, code=code)


def server_error(status: int) -> ApiError:
    """5xx: a fault of the sandbox's making."""
    return ApiError(status, "api_error", "Sorry! There was an error while talking to Stripe.", is_kept=True)


def rate_limited() -> ApiError:
    """429."""
    return ApiError(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. Retry the request later with exponential back-off.",
        code="rate_limit",
    )


def masked(key: str) -> str:
    """A secret key as an error may show it: its beginning and its last four characters."""
    return key[:8] + "*" * max(len(key) - 12, 4) + key[-4:] if len(key) > 12 else "*" * len(key)

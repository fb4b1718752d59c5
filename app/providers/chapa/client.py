"""HTTP to Chapa: the secret key in, the envelope `{message, status, data}` or an error of ours out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.providers.base import Account, Surroundings
from app.providers.chapa.amounts import clean, facts
from app.providers.chapa.statuses import REFUSALS
from app.providers.errors import (
    AuthFailed,
    Declined,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
)
from app.providers.http import Answer, HttpClient

DEFINITE: Final = frozenset({400, 401, 403, 404, 422})
"""Statuses that, with Chapa's own error body, say that nothing was done."""

UNAUTHORISED: Final = frozenset({401, 403})


class ChapaClient:
    """Calls on one account. Safe to share between threads."""

    def __init__(self, account: Account, surroundings: Surroundings) -> None:
        self._http = HttpClient(
            account.base_url,
            timeout_s=surroundings.timeout_s,
            connect_timeout_s=surroundings.connect_timeout_s,
        )
        self._headers = {"Authorization": f"Bearer {account['secret_key']}"}

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The envelope of an accepted call. Raises ProviderError."""
        return accepted(self._http.request("POST", path, json_body=body, headers=self._headers))

    def get(self, path: str) -> Answer:
        """The answer, whatever it says: a 404 of Chapa's can be good news. Raises Unavailable, OutcomeUnknown."""
        return self._http.request("GET", path, headers=self._headers)


def accepted(answer: Answer) -> dict[str, Any]:
    """The envelope when it says success; otherwise raises what it says."""
    envelope = answer.object()
    if answer.is_ok and envelope.get("status") == "success":
        return envelope
    raise refusal(answer)


def told(answer: Answer) -> dict[str, Any]:
    """The envelope of an inquiry. A refusal to tell says nothing about the money: it is raised as OutcomeUnknown."""
    try:
        return accepted(answer)
    except (InvalidRequest, Declined) as error:
        raise OutcomeUnknown(error.message, code=error.code, response=error.response) from None


def refusal(answer: Answer) -> ProviderError:
    """What an answer that is no success means: OutcomeUnknown unless Chapa's own body says no."""
    envelope = answer.object()
    said = message_of(envelope)
    response = {"http_status": answer.status, **facts(envelope, "status"), "message": said}
    if answer.status == 429:
        return RateLimited(response=response, retry_after_s=_retry_after(answer))
    if answer.status not in DEFINITE or not said or envelope.get("status") == "success":
        return OutcomeUnknown(code=f"http_{answer.status}", response=response)
    if isinstance(envelope["message"], dict):
        return InvalidRequest(
            said, code="validation", response=response | {"fields": refused_fields(envelope)}
        )
    for part, error, code in REFUSALS:
        if part in said.lower():
            return error(said, code=code, response=response)
    if answer.status in UNAUTHORISED:
        return AuthFailed(response=response)
    return InvalidRequest(said, code=f"http_{answer.status}", response=response)


def message_of(envelope: Mapping[str, Any]) -> str:
    """Chapa's message as one text: it is a string, or an object of lists by field."""
    message = envelope.get("message")
    if isinstance(message, str):
        return clean(message.strip())
    if isinstance(message, dict):
        return clean("; ".join(f"{name}: {_joined(rules)}" for name, rules in message.items()))
    return ""


def refused_fields(envelope: Mapping[str, Any]) -> list[str]:
    """The fields a validation refusal names."""
    message = envelope.get("message")
    return sorted(clean(str(name)) for name in message) if isinstance(message, dict) else []


def _joined(rules: object) -> str:
    return ", ".join(str(rule) for rule in rules) if isinstance(rules, list) else str(rules)


def _retry_after(answer: Answer) -> int | None:
    value = answer.headers.get("retry-after", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None

"""Daraja over HTTP: the shared token, one retry when it is rejected, answers turned into the error tree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from app.providers.base import Account, Context, FreshToken, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
)
from app.providers.http import Answer, HttpClient, Method
from app.providers.mpesa.statuses import NO_PRODUCT, RESULT_CODES, TOKEN_REJECTED, api_error
from app.providers.mpesa.values import code_of, id_of, text_of

TOKEN_PATH: Final = "/oauth/v1/generate"  # noqa: S105 a path
REQUEST_IDS: Final = ("CheckoutRequestID", "ConversationID", "OriginatorConversationID")
"""What Daraja names a request by, which exists there from then on."""

TOKEN_LIFE_S: Final = 3600
"""Daraja's documented life of a token, where the answer does not say it readably."""


class DarajaClient:
    """Requests of one account. Safe to share between threads."""

    def __init__(self, account: Account, context: Context) -> None:
        self._account = account
        self._tokens = context.tokens
        # A token belongs to the Daraja app: after a change of its keys the old app's token must not serve.
        app_mark = hashlib.sha256(account["consumer_key"].encode()).hexdigest()[:12]
        self._token_key = f"mpesa:{account.environment}:{account.id}:{app_mark}"
        self._http = HttpClient(
            account.base_url,
            timeout_s=context.timeout_s,
            connect_timeout_s=context.connect_timeout_s,
        )

    def command(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request that Daraja accepted: `ResponseCode` 0, or an unknown one beside the id of a request.

        Raises Declined for a ResponseCode that is known to refuse, DuplicateReference where it says so, OutcomeUnknown for an
        unknown one alone, and what `send` raises.
        """
        answer = self.send(path, body)
        code = code_of(answer.get("ResponseCode"))
        if code is None:
            raise OutcomeUnknown(code="unreadable_answer")
        if code == "0" or (code not in RESULT_CODES and _names_a_request(answer)):
            return answer
        raise _not_accepted(code, answer)

    def send(self, path: str, body: Mapping[str, Any], *, method: Method = "POST") -> dict[str, Any]:
        """The JSON object of a 2xx answer. Raises ProviderError; OutcomeUnknown for all that is not clear."""
        answer = self._authorised(method, path, body)
        if not answer.is_ok:
            raise refused(answer)
        if not answer.object():
            raise OutcomeUnknown(code="unreadable_answer")
        return answer.object()

    def _authorised(self, method: Method, path: str, body: Mapping[str, Any]) -> Answer:
        """A rejected token means that nothing was done: once more with a fresh one, which any worker may have made."""
        token = self._token(None)
        answer = self._with(token, method, path, body)
        if not _is_rejected(answer):
            return answer
        if NO_PRODUCT in error_message(answer).lower():
            # Another token would not help, and would end the one the other workers use.
            raise AuthFailed(
                "The Daraja app lacks the product of this request.",
                code=error_code(answer) or None,
                response=_answered(answer),
            )
        answer = self._with(self._token(token), method, path, body)
        if _is_rejected(answer):
            raise AuthFailed(
                "M-Pesa refused a fresh access token.",
                code=error_code(answer) or None,
                response=_answered(answer),
            )
        return answer

    def _with(self, token: str, method: Method, path: str, body: Mapping[str, Any]) -> Answer:
        return self._http.request(method, path, json_body=body, headers={"Authorization": f"Bearer {token}"})

    def _token(self, rejected: str | None) -> str:
        return self._tokens.get(self._token_key, self._fresh_token, rejected=rejected)

    def _fresh_token(self) -> FreshToken:
        """Whatever goes wrong here, the request itself was not sent: nothing is ever unknown."""
        credentials = (self._account["consumer_key"], self._account["consumer_secret"])
        try:
            answer = self._http.request(
                "GET", TOKEN_PATH, query={"grant_type": "client_credentials"}, basic=credentials
            )
        except OutcomeUnknown as error:
            raise NotSent("M-Pesa gave no access token in time; nothing was sent.") from error
        token = answer.object().get("access_token")
        if answer.is_ok and isinstance(token, str) and token:
            return FreshToken(token, _life_s(answer.object().get("expires_in")))
        raise _no_token(answer)


def refused(answer: Answer) -> ProviderError:
    """The error of an answer that is not 2xx."""
    message = error_message(answer)
    known = api_error(answer.status, error_code(answer), message)
    about = None if issubclass(known.error, OutcomeUnknown) else message or None
    return known.error(
        about,
        code=known.code or f"http_{answer.status}",
        response=_answered(answer),
        retry_after_s=known.retry_after_s,
    )


def error_code(answer: Answer) -> str:
    """Daraja's `errorCode`, or the code of the gateway in front of it; empty when there is none."""
    detail = _fault(answer).get("detail")
    of_gateway = detail.get("errorcode") if isinstance(detail, dict) else None
    return code_of(answer.object().get("errorCode")) or code_of(of_gateway) or ""


def error_message(answer: Answer) -> str:
    """The text beside `error_code`; empty when there is none."""
    return text_of(answer.object().get("errorMessage")) or text_of(_fault(answer).get("faultstring"))


def _fault(answer: Answer) -> dict[str, Any]:
    """`{"fault": {"faultstring", "detail": {"errorcode"}}}`: how the gateway in front of Daraja refuses."""
    fault = answer.object().get("fault")
    return fault if isinstance(fault, dict) else {}


def _answered(answer: Answer) -> dict[str, Any]:
    answered = {
        "requestId": text_of(answer.object().get("requestId")),
        "errorCode": error_code(answer),
        "errorMessage": error_message(answer),
    }
    return {"http_status": answer.status, **{name: text for name, text in answered.items() if text}}


def _is_rejected(answer: Answer) -> bool:
    return answer.status == 401 or (not answer.is_ok and error_code(answer) in TOKEN_REJECTED)


def _no_token(answer: Answer) -> ProviderError:
    """Wrong keys are a 400 (often with an empty body) or a 401; a limit is one here, too; the rest is a fault there.

    A 403 is no word about keys: the firewall in front answers so, with a page, when it dislikes an address or a pace.
    """
    known = api_error(answer.status, error_code(answer), "")
    if issubclass(known.error, RateLimited):
        return RateLimited(
            code=error_code(answer) or None, response=_answered(answer), retry_after_s=known.retry_after_s
        )
    if answer.status in (400, 401):
        return AuthFailed(
            "M-Pesa refused the consumer key and secret.",
            code=error_code(answer) or None,
            response=_answered(answer),
        )
    return NotSent("M-Pesa gave no access token; nothing was sent.", response=_answered(answer))


def _life_s(value: object) -> int:
    """`expires_in` comes as a number or a text."""
    text = code_of(value) or ""
    return int(text) if text.isascii() and text.isdigit() else TOKEN_LIFE_S


def _names_a_request(answer: Mapping[str, Any]) -> bool:
    return any(id_of(answer.get(name)) for name in REQUEST_IDS)


def _not_accepted(code: str, answer: Mapping[str, Any]) -> ProviderError:
    message = text_of(answer.get("ResponseDescription"))
    known = RESULT_CODES.get(code)
    answered = {"ResponseCode": code, "ResponseDescription": message}
    if known is None or known.state is State.PENDING:
        return OutcomeUnknown(code=code, response=answered)
    if known.state is None:
        return DuplicateReference(code=code, response=answered)
    return Declined(message or None, code=code, response=answered, retry_after_s=known.retry_after_s)

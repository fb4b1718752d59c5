"""HTTP to Paystack: the secret key in, the `data` of the envelope or an error of ours out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.providers.base import Account, Context
from app.providers.errors import (
    AuthFailed,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from app.providers.facts import facts, retry_after_s
from app.providers.http import Answer, HttpClient
from app.providers.paystack.statuses import NOT_THERE, REFUSALS

DEFINITE: Final = frozenset({400, 401, 403, 404, 422})
"""Statuses that, with Paystack's own error body, say that nothing was done."""

UNAUTHORISED: Final = frozenset({401, 403})

PROCESSOR_ERROR: Final = "processor_error"
"""Error type of a party behind Paystack: the error does not show whether that party acted."""


class PaystackClient:
    """Calls on one account. Safe to share between threads."""

    def __init__(self, account: Account, context: Context) -> None:
        self._http = HttpClient(
            account.base_url,
            timeout_s=context.timeout_s,
            connect_timeout_s=context.connect_timeout_s,
        )
        self._headers = {"Authorization": f"Bearer {account['secret_key']}"}

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`data` of an accepted call. Raises ProviderError."""
        return data_of(accepted(self._http.request("POST", path, json_body=body, headers=self._headers)))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """The answer, whatever it says. Raises NotSent, OutcomeUnknown."""
        return self._http.request("GET", path, query=query, headers=self._headers)


def accepted(answer: Answer) -> dict[str, Any]:
    """The envelope when the call worked; otherwise raises what it says. `status: true` says nothing about money."""
    envelope = answer.object()
    if answer.is_ok and envelope.get("status") is True:
        return envelope
    raise refusal(answer)


def data_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The object in `data`. Raises OutcomeUnknown when there is none."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise OutcomeUnknown(
            "Paystack's answer holds no data.",
            code="incomplete",
            response=facts(envelope, "status", "message"),
        )
    return data


def is_absent(answer: Answer) -> bool:
    """Whether Paystack says, in so many words, that it knows no such reference."""
    return answer.status in (400, 404) and any(part in _answered(answer) for part in NOT_THERE)


def refusal(answer: Answer) -> ProviderError:
    """What an answer that is no success means: OutcomeUnknown unless Paystack's own body says no."""
    envelope = answer.object()
    response = {"http_status": answer.status, **facts(envelope, "status", "message", "type", "code")}
    if answer.status == 429:
        return RateLimited(response=response, retry_after_s=retry_after_s(answer.headers))
    answered = _answered(answer)
    if answer.status not in DEFINITE or envelope.get("status") is not False or not answered:
        return OutcomeUnknown(code=f"http_{answer.status}", response=response)
    sentence = str(response.get("message", "")) or None
    for part, error, code in REFUSALS:
        if part in answered:
            return error(sentence, code=code, response=response)
    if envelope.get("type") == PROCESSOR_ERROR:
        return OutcomeUnknown(sentence, code=PROCESSOR_ERROR, response=response)
    if answer.status in UNAUTHORISED:
        return AuthFailed(response=response)
    return RequestRejected(
        sentence, code=str(response.get("code") or f"http_{answer.status}"), response=response
    )


def _answered(answer: Answer) -> str:
    """Code and message in lower case, to look words up in; empty when the body is not Paystack's refusal."""
    envelope = answer.object()
    if envelope.get("status") is not False or not isinstance(envelope.get("message"), str):
        return ""
    code = envelope.get("code")
    return f"{code if isinstance(code, str) else ''} {envelope['message']}".lower()

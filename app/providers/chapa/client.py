"""HTTP to Chapa: the secret key in, the envelope `{message, status, data}` or an error of ours out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.providers.base import Account, Context
from app.providers.chapa.statuses import REFUSALS
from app.providers.errors import (
    AuthFailed,
    DuplicateReference,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from app.providers.facts import clean, facts, retry_after_s
from app.providers.http import Answer, HttpClient

DEFINITE: Final = frozenset({400, 401, 403, 404, 422})
"""Statuses that, with Chapa's own error body, say that nothing was done."""

UNAUTHORISED: Final = frozenset({401, 403})

REFERENCE_FIELDS: Final = ("tx_ref", "reference")
TAKEN: Final = ("unique", "taken", "used before")
"""Words of a rule about one of these fields which mean that Chapa knows the reference already."""


class ChapaClient:
    """Calls on one account. Safe to share between threads."""

    def __init__(self, account: Account, context: Context) -> None:
        self._http = HttpClient(
            account.base_url,
            timeout_s=context.timeout_s,
            connect_timeout_s=context.connect_timeout_s,
        )
        self._headers = {"Authorization": f"Bearer {account['secret_key']}"}

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The envelope of an accepted call. Raises ProviderError."""
        return accepted(self._http.request("POST", path, json_body=body, headers=self._headers))

    def post_form(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """The same, with a form in place of JSON. Raises ProviderError."""
        return accepted(self._http.request("POST", path, form=form, headers=self._headers))

    def put(self, path: str) -> Answer:
        """The answer, whatever it says. Raises NotSent, OutcomeUnknown."""
        return self._http.request("PUT", path, headers=self._headers)

    def get(self, path: str) -> Answer:
        """The answer, whatever it says: Chapa answers 404 for payments that are open, too. Raises NotSent, OutcomeUnknown."""
        return self._http.request("GET", path, headers=self._headers)


def is_success(answer: Answer) -> bool:
    """Whether Chapa did what was asked, or answered it."""
    return answer.is_ok and answer.object().get("status") == "success"


def accepted(answer: Answer) -> dict[str, Any]:
    """The envelope when it says success; otherwise raises what it says."""
    if is_success(answer):
        return answer.object()
    raise refusal(answer)


def data_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The object in `data`. Raises OutcomeUnknown when there is none."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise OutcomeUnknown("Chapa's answer holds no data.", code="incomplete", response=answered(envelope))
    return data


def refusal(answer: Answer) -> ProviderError:
    """What an answer that is no success means: OutcomeUnknown unless Chapa's own body says no."""
    envelope = answer.object()
    message = message_of(envelope)
    response = {"http_status": answer.status, **answered(envelope)}
    if answer.status == 429:
        return RateLimited(response=response, retry_after_s=retry_after_s(answer.headers))
    if answer.status not in DEFINITE or not message or envelope.get("status") == "success":
        return OutcomeUnknown(code=f"http_{answer.status}", response=response)
    if isinstance(envelope["message"], dict):
        return _refused_fields(envelope["message"], message, response)
    words = plain(message)
    for part, error, code in REFUSALS:
        if part in words:
            return error(message, code=code, response=response)
    if answer.status in UNAUTHORISED:
        return AuthFailed(response=response)
    return RequestRejected(message, code=f"http_{answer.status}", response=response)


def message_of(envelope: Mapping[str, Any]) -> str:
    """Chapa's message as one text: it is a string, or an object of lists by field."""
    message = envelope.get("message")
    if isinstance(message, str):
        return clean(message.strip())
    if isinstance(message, dict):
        return clean("; ".join(f"{name}: {_joined(rules)}" for name, rules in message.items()))
    return ""


_APOSTROPHES: Final = dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02b9\u02bc\u2032\u00b4\u0060\uff07"), "'")
"""Characters that programs write for an apostrophe."""


def plain(message: str) -> str:
    """`message` as it is compared: in lower case, with plain apostrophes (Chapa writes both)."""
    return message.lower().translate(_APOSTROPHES)


def answered(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """What of the envelope is kept."""
    return {**facts(envelope, "status"), "message": message_of(envelope)}


def _refused_fields(rules: Mapping[str, Any], message: str, response: dict[str, Any]) -> ProviderError:
    """A validation refusal. A reference that is taken is one of ours that arrived before: nothing definite."""
    reasons = " ".join(_joined(rules[name]) for name in REFERENCE_FIELDS if name in rules).lower()
    if any(word in reasons for word in TAKEN):
        return DuplicateReference(message, code="duplicate_reference", response=response)
    fields = sorted(clean(str(name)) for name in rules)
    return RequestRejected(message, code="validation", response=response | {"fields": fields})


def _joined(rules: object) -> str:
    return ", ".join(str(rule) for rule in rules) if isinstance(rules, list) else str(rules)

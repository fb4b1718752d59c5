"""CPay's callbacks: JSON signed by `X-CPay-Signature`, the hex HMAC-SHA256 of the raw body under the API secret."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from app import json_numbers
from app.errors import InvalidRequest as NotMoney
from app.money import Money
from app.providers.base import Callback, CallbackEvent, Kind, ProviderResult, State
from app.providers.cpay.identities import Mark, identity
from app.providers.errors import ForgedCallback, InvalidCallback
from app.providers.facts import signed

SIGNATURE: Final = "x-cpay-signature"

EVENTS: Final = {
    "payment.completed": (Kind.PAYMENT, Mark.PAID, State.SUCCEEDED),
    "payment.failed": (Kind.PAYMENT, Mark.FAILED, State.FAILED),
    "payment.cancelled": (Kind.PAYMENT, Mark.CANCELLED, State.CANCELLED),
    "refund.completed": (Kind.REFUND, Mark.REFUNDED, State.SUCCEEDED),
}
"""`event` → what it is about, what its id begins with, what it says. Other events are kept, not acted on."""


def signature(body: bytes, secret: str) -> str:
    """What `X-CPay-Signature` must be for `body`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def read(callback: Callback, secret: str) -> CallbackEvent:
    """Raises ForgedCallback, InvalidCallback."""
    given = callback.headers.get(SIGNATURE, "").encode(errors="replace")
    if not secret or not hmac.compare_digest(signature(callback.body, secret).encode(), given):
        raise ForgedCallback
    with signed():
        return _event(_object(callback.body), secret)


def _event(event: dict[str, Any], secret: str) -> CallbackEvent:
    event_type, event_id = _text(event, "event"), _text(event, "event_id")
    if not event_type or not 0 < len(event_id) <= 255:
        raise InvalidCallback("A CPay event has an event and an event_id.")
    reference = _text(event, "reference")
    if event_type not in EVENTS:
        return CallbackEvent(event_id, Kind.OTHER, event_type, reference=reference or None, is_verified=True)
    if not reference:
        raise InvalidCallback("A CPay event has the reference of what it is about.")
    kind, mark, state = EVENTS[event_type]
    reported = _reported(event, state, mark, secret)
    return CallbackEvent(
        event_id,
        kind,
        event_type,
        reference=reference,
        provider_reference=reported.provider_reference,
        is_verified=True,
        reported=reported,
    )


def _reported(event: dict[str, Any], state: State, mark: Mark, secret: str) -> ProviderResult:
    """Its id is made here, whatever the `transaction_id` says: it is the id that an inquiry answers with."""
    try:
        amount = Money.parse(event.get("amount"), _text(event, "currency"))
    except NotMoney:
        raise InvalidCallback("A CPay event has an amount and a currency.") from None
    known = identity(
        mark, _text(event, "reference"), secret=secret, amount=amount if mark is Mark.PAID else None
    )
    return ProviderResult(
        state,
        provider_reference=known,
        receipt=known if mark is Mark.PAID else None,
        amount=amount,
        code=_text(event, "failure_reason") or None,
        response={"event": _text(event, "event"), "status": _text(event, "status")},
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        event = json_numbers.loads(body, is_unreadable_none=True)
    except ValueError:
        raise InvalidCallback from None
    if not isinstance(event, dict):
        raise InvalidCallback
    return event


def _text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""

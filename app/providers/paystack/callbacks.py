"""Paystack's webhooks: `x-paystack-signature` is the hex HMAC-SHA512 of the raw body by the API secret key."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from app.money import Money
from app.providers.base import Account, Callback, CallbackEvent, Kind, ProviderResult, State
from app.providers.environments import objection
from app.providers.errors import ForgedCallback, InvalidCallback
from app.providers.facts import facts, json_object, signed
from app.providers.paystack.amounts import collected, from_subunits
from app.providers.paystack.statuses import ENVIRONMENTS, EVENTS, SENTENCES
from app.providers.replies import environment_of, word

MAX_EVENT_ID: Final = 255
SIGNATURE: Final = "x-paystack-signature"

_REPORTED: Final = (
    "id",
    "status",
    "reference",
    "amount",
    "requested_amount",
    "fees",
    "currency",
    "channel",
    "gateway_response",
    "paid_at",
    "transfer_code",
    "transaction_reference",
    "refund_reference",
    "processor",
    "domain",
    "reason",
    "created_at",
    "updated_at",
)


def read(callback: Callback, account: Account) -> CallbackEvent:
    """The event of a delivery. Raises ForgedCallback, InvalidCallback."""
    signature = callback.headers.get(SIGNATURE, "")
    if not _is_signed(signature, account["secret_key"], callback.body):
        raise ForgedCallback
    with signed():
        return _event(json_object(callback.body), account)


def _event(content: Mapping[str, Any], account: Account) -> CallbackEvent:
    event, data = content.get("event"), content.get("data")
    if not isinstance(event, str) or not event or not event.isprintable() or not isinstance(data, dict):
        raise InvalidCallback("The callback names no event.")
    unknown = Kind.DISPUTE if event.startswith("charge.dispute.") else Kind.OTHER
    kind, state = EVENTS.get(event, (unknown, State.PENDING))
    ours = _reference(data, kind)
    if kind not in (Kind.OTHER, Kind.DISPUTE) and not ours:
        raise InvalidCallback("The callback names no reference.")
    return CallbackEvent(
        event_id=_event_id(event, data, ours),
        kind=kind,
        event_type=event[:100],
        reference=ours,
        provider_reference=_provider_reference(data, kind),
        is_verified=True,
        reported=_reported(data, kind, state) if kind not in (Kind.OTHER, Kind.DISPUTE) else None,
        objection=objection(account, environment_of(data, "domain", ENVIRONMENTS)),
    )


def sign(body: bytes, secret_key: str) -> str:
    """The signature Paystack sends with `body`."""
    return hmac.new(secret_key.encode(), body, hashlib.sha512).hexdigest()


def _is_signed(signature: str, secret_key: str, body: bytes) -> bool:
    # Without a key everybody could sign.
    given = signature.strip().encode("utf-8", "replace")
    return bool(secret_key) and hmac.compare_digest(given, sign(body, secret_key).encode())


def _reference(data: Mapping[str, Any], kind: Kind) -> str | None:
    """Ours. A refund names its transaction only: the reference is that of the *charge* it belongs to."""
    if kind is Kind.REFUND:
        return word(data, "transaction_reference")
    inner = data.get("transaction")
    return word(data, "reference") or (word(inner, "reference") if isinstance(inner, dict) else None)


def _provider_reference(data: Mapping[str, Any], kind: Kind) -> str | None:
    """A refund's id comes with `refund.needs-attention` only; nothing else in the event is an id to ask by."""
    return word(data, "transfer_code" if kind is Kind.PAYOUT else "id")


def _reported(data: Mapping[str, Any], kind: Kind, state: State) -> ProviderResult:
    is_bad = state is State.FAILED
    status = word(data, "status")
    return ProviderResult(
        state=state,
        receipt=word(data, "refund_reference") if kind is Kind.REFUND else word(data, "id"),
        amount=_amount(data, kind),
        code=status if is_bad else None,
        message=_sentence(data, status, is_bad=is_bad),
        response=facts(data, *_REPORTED),
    )


def _amount(data: Mapping[str, Any], kind: Kind) -> Money | None:
    # Refund events write it as a text or as a number, depending on the event.
    return (
        collected(data) if kind is Kind.PAYMENT else from_subunits(data.get("amount"), data.get("currency"))
    )


def _sentence(data: Mapping[str, Any], status: str | None, *, is_bad: bool) -> str | None:
    answered = word(data, "gateway_response") if is_bad else None
    return answered or SENTENCES.get(status or "")


def _event_id(event: str, data: Mapping[str, Any], reference: str | None) -> str:
    """There is no event id: event, ids, status and amount are the same for repeats of the same event.

    The amount and the refund's reference distinguish two refunds of one transaction.
    """
    names = ("id", "transfer_code", "refund_reference", "status", "amount")
    plain = ":".join([event, reference or "", *(word(data, name) or "" for name in names)])
    if reference and len(plain) <= MAX_EVENT_ID and plain.isprintable():
        return plain
    whole = json.dumps([event, data], default=str, sort_keys=True)
    return f"{event[:60]}:{hashlib.sha256(whole.encode()).hexdigest()}"

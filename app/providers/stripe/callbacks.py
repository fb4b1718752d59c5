"""Stripe's webhooks: signature, age, and what an event is about.

Events come at least once and in any order, so they show that something happened, not what the state is now.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app import clock
from app.providers.base import Account, Callback, CallbackEvent, Kind, ProviderResult
from app.providers.environments import objection
from app.providers.errors import ForgedCallback, InvalidCallback, OutcomeUnknown
from app.providers.facts import json_object, signed
from app.providers.stripe.statuses import (
    Flow,
    environment_of,
    flow_of,
    intent_result,
    metadata_of,
    reference_of,
    refund_result,
    session_result,
)

TOLERANCE_S: Final = 300
SIGNATURE: Final = "stripe-signature"
"""A signature that is older is refused, since it may be a recording; so is one from the future."""

KINDS: Final = (
    ("payment_intent.", Kind.PAYMENT),
    ("checkout.session.", Kind.PAYMENT),
    ("charge.refund", Kind.REFUND),  # charge.refunded, charge.refund.updated
    ("refund.", Kind.REFUND),
    ("charge.dispute.", Kind.DISPUTE),
)
"""Beginning of the event's type → what it is about. The rest is kept, not acted on."""


def read(callback: Callback, account: Account) -> CallbackEvent:
    """The event of a webhook signed with the account's secret. Raises ForgedCallback, InvalidCallback."""
    verify(callback.body, callback.headers.get(SIGNATURE, ""), account["webhook_secret"])
    with signed():
        return _event(json_object(callback.body), account)


def _event(event: Mapping[str, Any], account: Account) -> CallbackEvent:
    identity, event_type = event.get("id"), event.get("type")
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(identity, str) or not 0 < len(identity) <= 255 or not isinstance(event_type, str):
        raise InvalidCallback("The event has no id or no type.")
    if not isinstance(thing, dict):
        raise InvalidCallback("The event has no object.")
    kind = next((kind for start, kind in KINDS if event_type.startswith(start)), Kind.OTHER)
    reference, provider_reference = _references(thing)
    return CallbackEvent(
        identity,
        kind,
        event_type,
        reference=reference,
        provider_reference=provider_reference,
        is_verified=True,
        dispute=reference_of(thing.get("id")) if kind is Kind.DISPUTE else None,
        reported=_reported(thing) if kind is not Kind.OTHER else None,
        objection=objection(account, environment_of(event)) or objection(account, environment_of(thing)),
    )


def verify(body: bytes, header: str, secret: str) -> None:
    """Raises ForgedCallback unless one `v1` of the header signs `t.body`, and `t` is within TOLERANCE_S of now.

    There are two `v1` while a secret is being replaced; other schemes, such as `v0`, prove nothing.
    """
    if not secret:
        raise ForgedCallback("No webhook secret is set, so no webhook of Stripe can be believed.")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal() and len(times[0]) < 16):
        raise ForgedCallback("The Stripe-Signature header has no time.")
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest().encode()
    given = [value.encode(errors="replace") for name, _, value in pairs if name == "v1"]
    if not any(hmac.compare_digest(expected, signature) for signature in given):
        raise ForgedCallback
    if abs(clock.now().timestamp() - int(times[0])) > TOLERANCE_S:
        raise ForgedCallback("The webhook's signature is not of this time.")


def _references(thing: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Our reference and Stripe's. A hosted charge is known by its session, so its PaymentIntent's id is left out.

    A refund that is not ours names the payment it belongs to instead of a reference.
    """
    ours = metadata_of(thing).get("reference") or thing.get("client_reference_id")
    theirs = reference_of(thing.get("id"))
    if thing.get("object") in ("charge", "dispute"):
        # A charge carries the metadata of its payment; a dispute names the payment only.
        theirs = reference_of(thing.get("payment_intent"))
    if thing.get("object") == "refund" and ours is None:
        ours = reference_of(thing.get("payment_intent"))
    if thing.get("object") in ("charge", "payment_intent") and flow_of(thing) is Flow.HOSTED:
        theirs = None
    return (ours if isinstance(ours, str) else None), theirs


def _reported(thing: Mapping[str, Any]) -> ProviderResult | None:
    """What the object says of itself; None for what cannot be read as one of ours."""
    readers = {"checkout.session": session_result, "payment_intent": intent_result, "refund": refund_result}
    reader = readers.get(str(thing.get("object")))
    if reader is None:
        return None
    try:
        reported = reader(thing)
    except OutcomeUnknown:
        return None
    return replace(reported, provider_reference=_references(thing)[1])

"""Pesapal's notifications (IPN): by GET or POST, without a status and without a signature.

They say that something happened to an order. What, only an inquiry shows.
"""

from __future__ import annotations

import re
from typing import Any, Final

from app import json_numbers
from app.providers.base import Acknowledgement, Callback, CallbackEvent, Kind
from app.providers.errors import InvalidCallback

ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""Of orders (a GUID) and of our references; nothing else is looked up."""

KINDS: Final = {"IPNCHANGE": Kind.PAYMENT, "CALLBACKURL": Kind.PAYMENT}
"""OrderNotificationType; RECURRING and the like are about subscriptions, which the gateway does not make."""

KNOWN: Final = frozenset({"IPNCHANGE", "CALLBACKURL", "RECURRING"})


def read(callback: Callback) -> CallbackEvent:
    """Raises InvalidCallback.

    Every change of an order has the same text, so equal event ids need not be repeats of the same event.
    """
    fields = _fields(callback)
    tracking_id = _identity(fields, "ordertrackingid")
    if tracking_id is None:
        raise InvalidCallback("The notification has no OrderTrackingId.")
    word = fields.get("ordernotificationtype")
    # From a closed list: otherwise one order could have any number of event ids.
    event_type = word.upper() if isinstance(word, str) and word.upper() in KNOWN else "IPNCHANGE"
    return CallbackEvent(
        f"{tracking_id}:{event_type}",
        KINDS.get(event_type.upper(), Kind.OTHER),
        event_type,
        reference=_identity(fields, "ordermerchantreference"),
        provider_reference=tracking_id,
    )


def acknowledgement(event: CallbackEvent) -> Acknowledgement:
    """The JSON without which Pesapal may send the notification again."""
    return Acknowledgement(
        200,
        {
            "orderNotificationType": event.event_type,
            "orderTrackingId": event.provider_reference or "",
            "orderMerchantReference": event.reference or "",
            "status": 200,
        },
    )


def _fields(callback: Callback) -> dict[str, Any]:
    """Names in lower case: documents and deliveries differ in it."""
    found: object = callback.query
    if callback.body.strip():
        try:
            found = json_numbers.loads(callback.body, is_unreadable_none=True)
        except ValueError:
            raise InvalidCallback from None
    if not hasattr(found, "items"):
        raise InvalidCallback
    return {str(name).lower(): value for name, value in found.items()}


def _identity(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and ID.fullmatch(value) else None

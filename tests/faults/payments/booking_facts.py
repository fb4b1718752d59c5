"""Bookings under test, and what is true of them afterwards."""

from __future__ import annotations

from typing import Any

import requests

from app.sandbox.chapa.callbacks import encode, signatures
from tests.faults.payments.facts import assert_paid_once, events
from tests.support.bookings import BookingSite
from tests.support.gateway import Gateway

HOOK_SECRET = "chapa-sandbox-hook"


def fault(gateway: Gateway, name: str, **more: Any) -> None:
    gateway.sandbox.control({"rules": [{"provider": "chapa", "fault": name, **more}]})


def begun(site: BookingSite) -> tuple[str, dict[str, str]]:
    """A booking's id, and the data of its payment, which waits for the traveller."""
    booking_id = site.booking()
    answer = site.initiate(booking_id)
    assert (answer.status, answer.message) == (201, "Payment initiated successfully")
    return booking_id, answer.body["data"]


def webhook(gateway: Gateway, reference: str, *, secret: str = HOOK_SECRET, **differing: Any) -> int:
    """The status that a charge.success about the payment is answered with."""
    body = encode(
        {
            "event": "charge.success",
            "tx_ref": reference,
            "reference": "AP0001",
            "status": "success",
            "amount": "2304.00",
            "currency": "ETB",
            "mode": "test",
        }
        | differing
    )
    headers = {"Content-Type": "application/json", **signatures(secret, body)}
    return requests.post(f"{gateway.url}/webhooks/chapa", data=body, headers=headers, timeout=60).status_code


def mails(gateway: Gateway, booking_id: str) -> list[Any]:
    """What was sent about the booking, once the worker has nothing left to do."""
    gateway.quiet()
    while gateway.run_due():
        gateway.quiet()
    return gateway.rows(
        "SELECT n.* FROM notifications n JOIN payments p ON p.id = n.ref WHERE p.order_id = :id",
        id=booking_id,
    )


def assert_confirmed_once(gateway: Gateway, site: BookingSite, booking_id: str, payment_id: str) -> None:
    (mail,) = mails(gateway, booking_id)
    assert (mail.state, mail.subject) == ("sent", f"Payment Confirmation - Booking #{booking_id[:8]}")
    assert site.status(booking_id) == "confirmed"
    assert events(gateway, booking_id).count("booking.confirmed") == 1
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()

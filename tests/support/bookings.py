"""A booking site: its listings, and travellers who book and pay them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import requests
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.services.bookings.page import PageState
from app.unit_of_work import transaction
from tests.support.gateway import Gateway

LISTING: dict[str, Any] = {
    "title": "Lake House",
    "location": "Hawassa, Ethiopia",
    "price_per_night": "384.00",
    "currency": "ETB",
    "max_guests": 4,
}
ARRIVAL = date(2027, 3, 1)

DECLINED_CARD = "4000000000000002"
GOOD_CARD = "4242424242424242"


PAYMENTS_OF = {
    PageState.CONFIRMED: ("completed", None),
    PageState.UNCLEAR: ("processing", "outcome_unknown"),
    PageState.CHECKED: ("failed", "late_success"),
    PageState.FAILED: ("failed", None),
    PageState.REFUNDED: ("refunded", None),
}
"""State of a booking's page → status and open review of the payment that brings it about."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def message(self) -> str:
        found: str = self.body["message"]
        return found


Send = Callable[[str, str, Any, Mapping[str, str]], Answer]
"""(method, path, JSON body, headers) → the answer."""


@dataclass(frozen=True)
class BookingSite:
    """send: how requests reach its gateway. headers: the site's API key."""

    send: Send
    headers: Mapping[str, str] = field(repr=False)

    def call(self, method: str, path: str, body: Any = None, *, by_site: bool = False) -> Answer:
        """A traveller's request to `/api…`, or the site's."""
        return self.send(method, f"/api{path}", body, self.headers if by_site else {})

    def listing(self, **differing: Any) -> str:
        """A new listing's id."""
        answer = self.call("POST", "/listings/", LISTING | differing, by_site=True)
        assert answer.status == 201, answer
        return str(answer.body["listing_id"])

    def book(self, listing_id: str, *, first: int = 0, nights: int = 6, **differing: Any) -> Answer:
        """first: days between ARRIVAL and the first night."""
        arrival = ARRIVAL + timedelta(days=first)
        body = {
            "listing_id": listing_id,
            "email": "guest@example.com",
            "check_in_date": arrival.isoformat(),
            "check_out_date": (arrival + timedelta(days=nights)).isoformat(),
            "number_of_guests": 2,
        }
        return self.call("POST", "/bookings/", body | differing)

    def booking(self, *, title: str = LISTING["title"], **differing: Any) -> str:
        """The id of a new booking of a new listing: 2304.00 ETB."""
        answer = self.book(self.listing(title=title), **differing)
        assert answer.status == 201, answer
        return str(answer.body["booking_id"])

    def status(self, booking_id: str) -> str:
        return str(self.call("GET", f"/bookings/{booking_id}/").body["status"])

    def initiate(self, booking_id: str, **more: Any) -> Answer:
        return self.call("POST", "/payments/initiate/", {"booking_id": booking_id} | more)

    def reference(self, booking_id: str) -> str:
        """Of a payment that is initiated now."""
        answer = self.initiate(booking_id)
        assert answer.status in (200, 201), answer
        return str(answer.body["data"]["transaction_reference"])

    def verify(self, reference: str, *, method: str = "GET") -> Answer:
        return self.call(method, f"/payments/verify/?tx_ref={reference}")


def site_of(gateway: Gateway) -> BookingSite:
    """The gateway's merchant as a booking site, over HTTP."""
    base = gateway.url.removesuffix("/api/v1")

    def send(method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        answer = requests.request(method, f"{base}{path}", json=body, headers=dict(headers), timeout=60)
        return Answer(answer.status_code, answer.json() if answer.content else None)

    return BookingSite(send, gateway.headers)


def pay_by_card(page: str, number: str = GOOD_CARD) -> None:
    """On the provider's simulated page."""
    answer = requests.post(f"{page}/card", data={"number": number}, timeout=30, allow_redirects=False)
    assert answer.status_code in (302, 303), answer.text


def set_page_state(app: Flask, booking_id: str, state: PageState) -> None:
    """In the database, where the booking has a payment: some states take an operator, or days."""
    status, review = PAYMENTS_OF[state]
    values = {"id": booking_id, "status": status, "review": review}
    closed = "UPDATE payment_reviews SET closed_at = now(), closed_by = 'system' WHERE closed_at IS NULL AND payment_id IN"
    changes = [
        text("UPDATE payments SET status = :status WHERE order_id = :id"),
        text(f"{closed} (SELECT id FROM payments WHERE order_id = :id)"),
    ]
    if review is not None:
        changes.append(
            text(
                "INSERT INTO payment_reviews (id, payment_id, reason, opened_at, opened_by) "
                "SELECT gen_random_uuid(), id, :review, now(), 'system' FROM payments WHERE order_id = :id"
            )
        )

    def work(session: Session) -> None:
        for change in changes:
            session.execute(change, values)

    with app.app_context():
        transaction(work)


def unknown_id() -> str:
    return str(uuid.uuid4())

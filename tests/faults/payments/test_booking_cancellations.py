"""Bookings that are cancelled, not paid in time, or refunded: what is cancelled is not paid, and what is being paid keeps its nights.

Seen failing when a cancellation does not look at the booking's payment under the lock of its order, when it does not end the payment at
the provider, and when the nights of a stay that is being paid are released.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import requests

from app.money import Money
from app.providers.base import ProviderResult, State
from tests.faults.payments.booking_facts import assert_confirmed_once, begun, mails
from tests.faults.payments.facts import events, operator
from tests.support.bookings import DECLINED_CARD, Answer, BookingSite, pay_by_card
from tests.support.concurrency import concurrently
from tests.support.gateway import Gateway
from tests.support.outcomes import apply_to_attempt
from tests.support.waiting import wait_until


def test_cancelling_closes_the_page(gateway: Gateway, site: BookingSite) -> None:
    booking_id, payment = begun(site)
    assert site.call("DELETE", f"/bookings/{booking_id}/").status == 204
    assert site.status(booking_id) == "cancelled"
    requests.post(f"{payment['checkout_url']}/card", data={"number": "4242424242424242"}, timeout=30)
    assert gateway.charged(payment["payment_id"]) == []
    assert site.initiate(booking_id).message == "The booking is cancelled"
    assert mails(gateway, booking_id) == []


def test_cancelling_while_the_traveller_pays(gateway: Gateway, site: BookingSite) -> None:
    """Paid and confirmed, or cancelled and not paid."""
    for _ in range(4):
        booking_id, payment = begun(site)

        def act(number: int, booking_id: str = booking_id, page: str = payment["checkout_url"]) -> int:
            if number == 0:
                data = {"number": "4242424242424242"}
                return requests.post(f"{page}/card", data=data, timeout=30, allow_redirects=False).status_code
            return site.call("DELETE", f"/bookings/{booking_id}/").status

        _, cancelled = concurrently(2, act)
        mailed = mails(gateway, booking_id)
        is_paid = bool(gateway.charged(payment["payment_id"]))
        assert cancelled == (400 if is_paid else 204)
        assert site.status(booking_id) == ("confirmed" if is_paid else "cancelled")
        assert len(mailed) == is_paid
    gateway.assert_ledger_matches_providers()


def test_cancelling_while_payments_begin(gateway: Gateway, site: BookingSite) -> None:
    """A booking that is cancelled has no payment that is alive, and its nights are free; another one keeps them."""
    for _ in range(3):
        booking_id = site.booking()

        def act(number: int, booking_id: str = booking_id) -> Answer:
            path = f"/bookings/{booking_id}/"
            return site.call("DELETE", path) if number % 2 else site.initiate(booking_id)

        answers = concurrently(8, act)
        assert {answer.status for answer in answers} <= {200, 201, 204, 400, 409}, answers
        found = gateway.rows("SELECT status FROM payments WHERE order_id = :id", id=booking_id)
        alive = [row.status for row in found if row.status not in ("failed", "cancelled")]
        nights = gateway.rows("SELECT 1 FROM reserved_nights WHERE booking_id = :id", id=booking_id)
        is_cancelled = site.status(booking_id) == "cancelled"
        assert (len(alive) <= 1, len(nights)) == (True, 0 if is_cancelled else 6)
        assert not (is_cancelled and alive)


def test_a_stay_that_is_being_paid_keeps_its_nights(gateway: Gateway, site: BookingSite) -> None:
    booking_id, payment = begun(site)
    listing_id = site.call("GET", f"/bookings/{booking_id}/").body["listing_id"]
    gateway.advance(2 * 3600)
    assert site.book(listing_id).message == "The listing is not available on these dates"
    pay_by_card(payment["checkout_url"])
    assert_confirmed_once(gateway, site, booking_id, payment["payment_id"])


def test_a_paid_booking_is_not_cancelled(gateway: Gateway, site: BookingSite) -> None:
    booking_id, payment = begun(site)
    pay_by_card(payment["checkout_url"])
    mails(gateway, booking_id)
    answer = site.call("DELETE", f"/bookings/{booking_id}/")
    assert (answer.status, answer.message) == (400, "The booking is paid and can no longer be cancelled")
    assert site.status(booking_id) == "confirmed"


def test_a_refunded_booking(gateway: Gateway, site: BookingSite) -> None:
    """Its nights are free, and it is not paid again."""
    booking_id, payment = begun(site)
    pay_by_card(payment["checkout_url"])
    mails(gateway, booking_id)
    assert gateway.refund(payment["payment_id"]).status_code == 200
    assert gateway.settle(payment["payment_id"], until=("refunded",))["status"] == "refunded"
    answer = site.verify(payment["transaction_reference"])
    assert (answer.status, answer.body["data"]["payment_status"]) == (200, "refunded")
    assert site.status(booking_id) == "cancelled"
    assert site.initiate(booking_id).status == 400
    stay = site.call("GET", f"/bookings/{booking_id}/").body
    assert site.book(stay["listing_id"]).status == 201
    assert len(mails(gateway, booking_id)) == 1


WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def test_late_money_for_nights_that_are_another_travellers(gateway: Gateway, site: BookingSite) -> None:
    """An operator may accept it for the site; the stay is not confirmed, and its page does not say that it is."""
    booking_id, payment = begun(site)
    listing_id = site.call("GET", f"/bookings/{booking_id}/").body["listing_id"]
    pay_by_card(payment["checkout_url"], DECLINED_CARD)
    assert site.verify(payment["transaction_reference"]).status == 400
    gateway.advance(2 * 3600)
    assert site.book(listing_id).status == 201
    (attempt,) = gateway.attempts(payment["payment_id"])
    paid = ProviderResult(State.SUCCEEDED, receipt="AP0004", amount=Money(230_400, "ETB"))
    with gateway.app.app_context():
        apply_to_attempt(attempt.id, paid, source="callback")
    operator(gateway, "payments", "accept-unmatched", payment["payment_id"])
    assert mails(gateway, booking_id) == []
    assert "booking.confirmed" not in events(gateway, booking_id)
    data = site.verify(payment["transaction_reference"]).body["data"]
    assert (data["payment_status"], data["booking_status"]) == ("completed", "cancelled")
    page = requests.get(f"{gateway.url.removesuffix('/api/v1')}/bookings/{booking_id}/state", timeout=30)
    assert page.json()["state"] == "checked"
    with gateway.app.app_context():
        # The simulator has collected nothing, and its book is compared with the ledger.
        apply_to_attempt(attempt.id, ProviderResult(State.REVERSED), source="callback")


def test_a_payment_that_begins_during_the_cancellation(gateway: Gateway, site: BookingSite) -> None:
    """The booking was not being paid when the cancellation looked first; under the lock it looks again, and ends the payment."""
    booking_id, answers = site.booking(), list[Answer]()
    cancelling = threading.Thread(
        target=lambda: answers.append(site.call("DELETE", f"/bookings/{booking_id}/"))
    )
    with shared_lock(gateway, booking_id):
        cancelling.start()
        wait_until(lambda: gateway.rows(WAITING)[0][0] == 1, "the cancellation waits for the order")
        assert site.initiate(booking_id).status == 201
    cancelling.join()
    assert [answer.status for answer in answers] == [204]
    assert site.status(booking_id) == "cancelled"
    found = gateway.rows("SELECT status FROM payments WHERE order_id = :id", id=booking_id)
    assert [row.status for row in found] == ["cancelled"]


@contextmanager
def shared_lock(gateway: Gateway, order_id: str) -> Iterator[None]:
    """Payments of the order may begin, and nothing else may lock it."""
    with psycopg2.connect(gateway.app.config["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM orders WHERE id = %s FOR SHARE", (order_id,))
        yield
    connection.close()

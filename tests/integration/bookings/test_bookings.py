"""Bookings: no night twice, the price is computed, who may see and cancel them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.models.member import Role
from app.services.demo.objects import NAMESPACE
from tests.integration.bookings.conftest import make_site
from tests.support.bookings import BookingSite, unknown_id
from tests.support.concurrency import concurrently
from tests.support.tenants import make_member, make_merchant

HOLD = timedelta(seconds=3600)


def test_a_booking(site: BookingSite) -> None:
    listing_id = site.listing()
    made = site.book(listing_id, total_price="1.00")
    assert made.status == 201
    booking_id = made.body.pop("booking_id")
    assert made.body | {"user_id": "", "created_at": ""} == {
        "listing_id": listing_id,
        "user_id": "",
        "property": "Lake House",
        "location": "Hawassa, Ethiopia",
        "check_in_date": "2027-03-01",
        "check_out_date": "2027-03-07",
        "number_of_guests": 2,
        "total_price": "2304.00",
        "currency": "ETB",
        "status": "pending",
        "payment_status": None,
        "created_at": "",
    }
    found = site.call("GET", f"/bookings/{booking_id}")
    assert found.body == made.body | {"booking_id": booking_id}
    assert "guest@example.com" not in str(found.body)


@pytest.mark.parametrize(
    ("differing", "message"),
    [
        ({"check_out_date": "2027-03-01"}, "check_out_date must be after check_in_date"),
        ({"check_out_date": "2027-02-01"}, "check_out_date must be after check_in_date"),
        ({"check_out_date": "2028-03-01"}, "A booking has at most 365 nights"),
        ({"number_of_guests": 5}, "This listing takes at most 4 guests"),
        ({"number_of_guests": True}, "number_of_guests: This must be a whole number from 1 to 1000."),
        ({"check_in_date": "2027-3-1"}, "check_in_date: This must be a day, such as 2026-01-15."),
        ({"check_in_date": "20270301"}, "check_in_date: This must be a day, such as 2026-01-15."),
        ({"check_in_date": ...}, "check_in_date is required"),
        ({"email": ...}, "user_id or email is required"),
        ({"email": "nobody"}, "email: This is not a valid e-mail address."),
        ({"user_id": str(NAMESPACE)}, "User not found"),
        ({"listing_id": "17"}, "listing_id: This must be a UUID."),
        ({"status": "confirmed"}, "status: This field is not known here."),
    ],
)
def test_refused_bookings(
    site: BookingSite, rows: Callable[..., list[Any]], differing: dict[str, Any], message: str
) -> None:
    listing_id, given = site.listing(), {**differing}
    body = {
        "listing_id": listing_id,
        "email": "guest@example.com",
        "check_in_date": "2027-03-01",
        "check_out_date": "2027-03-07",
        "number_of_guests": 2,
    } | given
    body = {name: value for name, value in body.items() if value is not ...}
    answer = site.call("POST", "/bookings/", body)
    assert (answer.status, answer.body) == (400, {"status": "error", "message": message})
    assert rows("SELECT 1 FROM reserved_nights WHERE listing_id = :id", id=listing_id) == []


def test_no_night_twice(site: BookingSite) -> None:
    listing_id = site.listing()
    assert site.book(listing_id, first=10, nights=5).status == 201
    for first, nights in ((10, 5), (9, 2), (14, 1), (12, 1), (0, 30)):
        answer = site.book(listing_id, first=first, nights=nights)
        assert answer.status == 400
        assert answer.body == {
            "status": "error",
            "message": "The listing is not available on these dates",
        }
    # The day of departure is another traveller's day of arrival.
    assert site.book(listing_id, first=15, nights=1).status == 201
    assert site.book(listing_id, first=9, nights=1).status == 201


def test_no_night_twice_at_once(site: BookingSite, rows: Callable[..., list[Any]]) -> None:
    """Breaks when nights are looked up before they are inserted."""
    listing_id = site.listing()
    # Overlapping stays: of those that share a night one is made, and no request fails otherwise.
    answers = concurrently(24, lambda number: site.book(listing_id, first=number % 4, nights=5))
    assert sorted(answer.status for answer in answers) == [201, *[400] * 23]
    made = next(answer for answer in answers if answer.status == 201)
    kept = rows("SELECT booking_id, night FROM reserved_nights WHERE listing_id = :id", id=listing_id)
    assert {str(row.booking_id) for row in kept} == {made.body["booking_id"]} and len(kept) == 5
    orders = "SELECT count(*) FROM bookings WHERE listing_id = :id"
    assert rows(orders, id=listing_id) == [(1,)]


def test_an_address_is_one_traveller(site: BookingSite) -> None:
    listing_id = site.listing()
    answers = concurrently(
        8, lambda number: site.book(listing_id, first=number * 10, email="New.Guest@example.com")
    )
    assert {answer.status for answer in answers} == {201}
    (user_id,) = {answer.body["user_id"] for answer in answers}
    assert user_id


def test_a_known_user(site: BookingSite, app: Flask) -> None:
    listing_id = site.listing()
    user_id = site.book(listing_id).body["user_id"]
    body = {
        "listing_id": listing_id,
        "user_id": user_id,
        "check_in_date": "2027-05-01",
        "check_out_date": "2027-05-02",
        "number_of_guests": 1,
    }
    assert site.call("POST", "/bookings/", body).body["user_id"] == user_id
    other = make_site(app)
    foreign = other.call("POST", "/bookings/", body | {"listing_id": other.listing()})
    assert (foreign.status, foreign.message) == (400, "User not found")


def test_an_unpaid_booking_keeps_its_nights_for_a_while(site: BookingSite) -> None:
    listing_id = site.listing()
    first = site.book(listing_id).body["booking_id"]
    clock.travel(HOLD - timedelta(seconds=5))
    assert site.book(listing_id).status == 400
    clock.travel(timedelta(seconds=10))
    assert site.status(first) == "pending", "until another traveller wants the nights"
    # Twelve want them at once: one gets them.
    answers = concurrently(12, lambda _: site.book(listing_id, first=2))
    assert sorted(answer.status for answer in answers) == [201, *[400] * 11]
    assert site.status(first) == "cancelled"
    answer = site.initiate(first)
    assert (answer.status, answer.message) == (400, "The booking is cancelled")


def test_cancelling(site: BookingSite, rows: Callable[..., list[Any]]) -> None:
    listing_id = site.listing()
    booking_id = site.book(listing_id).body["booking_id"]
    path = f"/bookings/{booking_id}/"
    answers = concurrently(8, lambda _: site.call("DELETE", path))
    assert {answer.status for answer in answers} == {204}
    assert site.status(booking_id) == "cancelled"
    assert site.book(listing_id).status == 201
    found = rows(
        "SELECT type, actor FROM outbox WHERE object_id = :id UNION ALL "
        "SELECT type, actor FROM events WHERE object_id = :id",
        id=booking_id,
    )
    assert sorted(row.type for row in found).count("booking.cancelled") == 1
    assert site.call("DELETE", f"/bookings/{unknown_id()}/").message == "Booking not found"


def test_the_order_may_be_cancelled_by_the_back_office(app: Flask) -> None:
    """Its nights are free then, although nothing has released them."""
    merchant = make_merchant(app)
    site, owner = make_site(app, merchant), make_member(app, merchant, Role.OWNER)
    listing_id = site.listing()
    booking_id = site.book(listing_id).body["booking_id"]
    path = f"/api/v1/orders/{booking_id}/cancel"
    assert app.test_client().post(path, json={}, headers=owner.headers).status_code == 200
    assert site.status(booking_id) == "cancelled"
    assert site.book(listing_id).status == 201


def test_only_the_site_lists_its_bookings(site: BookingSite, app: Flask) -> None:
    listing_id = site.listing()
    made = [site.book(listing_id, first=10 * number).body for number in range(11)]
    assert site.call("GET", "/bookings/").status == 401
    first = site.call("GET", "/bookings/", by_site=True).body
    assert (first["count"], first["results"]) == (11, made[:0:-1])
    assert site.call("GET", "/bookings/?page=2", by_site=True).body["results"] == [made[0]]
    nothing = make_site(app).call("GET", "/bookings/", by_site=True).body
    assert (nothing["count"], nothing["results"]) == (0, [])

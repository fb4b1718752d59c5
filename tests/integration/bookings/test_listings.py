"""Listings: who may read and change them, and what they must be."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.integration.bookings.conftest import make_site
from tests.support.bookings import LISTING, BookingSite, unknown_id


def test_everyone_reads_and_the_site_changes(site: BookingSite) -> None:
    made = site.call("POST", "/listings/", LISTING, by_site=True)
    assert made.status == 201
    assert {name: made.body[name] for name in LISTING} == LISTING
    path = f"/listings/{made.body['listing_id']}/"
    assert site.call("GET", path) == site.call("GET", path.rstrip("/"))
    changed = site.call("PATCH", path, {"price_per_night": 400, "description": "By the lake"}, by_site=True)
    assert changed.status == 200
    assert changed.body["price_per_night"] == "400.00"
    replaced = site.call("PUT", path, LISTING | {"max_guests": 2}, by_site=True)
    assert (replaced.body["max_guests"], replaced.body["description"]) == (2, None)
    assert site.call("GET", path).body == replaced.body


def test_a_withdrawn_listing_is_not_found(site: BookingSite) -> None:
    listing_id = site.listing()
    kept = site.book(listing_id).body["booking_id"]
    path = f"/listings/{listing_id}/"
    assert site.call("DELETE", path, by_site=True).status == 204
    assert site.call("GET", path).message == "Listing not found"
    assert site.call("DELETE", path, by_site=True).status == 404
    assert site.call("PATCH", path, {"title": "Again"}, by_site=True).status == 404
    assert site.book(listing_id, first=30).status == 404
    listed = site.call("GET", "/listings/").body["results"]
    assert listing_id not in [one["listing_id"] for one in listed]
    assert site.status(kept) == "pending", "bookings that were made stay"


@pytest.mark.parametrize(
    ("method", "body"), [("POST", LISTING), ("PUT", LISTING), ("PATCH", {}), ("DELETE", None)]
)
def test_changes_need_a_key(app: Flask, site: BookingSite, method: str, body: Any) -> None:
    path = "/listings/" if method == "POST" else f"/listings/{site.listing()}/"
    answer = site.call(method, path, body)
    assert (answer.status, answer.body["status"]) == (401, "error")
    if method != "POST":
        assert make_site(app).call(method, path, body, by_site=True).status == 404, "another site's"


@pytest.mark.parametrize(
    ("differing", "message"),
    [
        ({"title": ...}, "title is required"),
        ({"title": " "}, "title is required"),
        ({"price_per_night": "0"}, "The amount must be greater than zero."),
        ({"price_per_night": "10000000000.01"}, "The price is out of range."),
        ({"price_per_night": "1.001"}, "ETB amounts have at most 2 decimals."),
        ({"currency": "XXX"}, "This currency is not supported."),
        ({"max_guests": 0}, "max_guests: This must be a whole number from 1 to 1000."),
        ({"host": "me"}, "host: This field is not known here."),
    ],
)
def test_refused_listings(site: BookingSite, differing: dict[str, Any], message: str) -> None:
    body = {name: value for name, value in (LISTING | differing).items() if value is not ...}
    answer = site.call("POST", "/listings/", body, by_site=True)
    assert (answer.status, answer.body) == (400, {"status": "error", "message": message})


def test_pages_of_ten(site: BookingSite) -> None:
    made = [site.listing() for _ in range(11)]
    first = site.call("GET", "/listings/").body
    assert [one["listing_id"] for one in first["results"]] == made[:0:-1]
    assert first["count"] >= 11 and first["previous"] is None
    assert first["next"].endswith("/api/listings/?page=2")
    second = site.call("GET", "/listings/?page=2").body
    assert second["results"][0]["listing_id"] == made[0]
    assert second["previous"].endswith("/api/listings/?page=1")
    last = site.call("GET", "/listings/?page=1000")
    assert (last.status, last.message) == (404, "Invalid page.")
    assert site.call("GET", "/listings/?page=0").status == 400
    assert site.call("GET", "/listings/?size=5").status == 400


def test_an_unknown_listing(site: BookingSite) -> None:
    assert site.call("GET", f"/listings/{unknown_id()}/").message == "Listing not found"
    assert site.call("GET", "/listings/17/").status == 404

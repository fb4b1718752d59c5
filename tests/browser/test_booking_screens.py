"""Pictures of the booking page in every state, for people to look at: on a phone and a desk, in light and dark.

They are kept under var/screenshots/. What a machine can tell is checked too: nothing is wider than the window.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page

from app import create_app
from app.services.bookings.page import PageState
from app.web.booking_view import WORDS
from tests.browser.conftest import MakeTraveller
from tests.support.bookings import PAYMENTS_OF, BookingSite, pay_by_card, set_page_state
from tests.support.stack import Stack
from tests.support.travellers import PAY, Traveller

SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
WIDTHS = (320, 1280)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def database(stack: Stack) -> Flask:
    return create_app(stack.environment | {"LOG_LEVEL": "WARNING"})


@pytest.fixture(
    params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids=lambda p: f"{p[0]}-{p[1]}"
)
def traveller(request: pytest.FixtureRequest, make_traveller: MakeTraveller) -> Traveller:
    width, scheme = request.param
    return make_traveller(viewport={"width": width, "height": 800}, color_scheme=scheme)


def take(page: Page, name: str) -> None:
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    width = page.evaluate("innerWidth")
    page.screenshot(path=SCREENSHOTS / f"booking-{name}-{width}-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_every_state(database: Flask, site: BookingSite, traveller: Traveller) -> None:
    page, booking_id = traveller.visitor.page, traveller.address.rpartition("/")[2]
    traveller.opens()
    take(page, PageState.TO_PAY)
    page.route("**/chapa/**", lambda route: route.fulfill(status=204))
    traveller.visitor.types("Phone", "12")
    traveller.visitor.presses(PAY)
    take(page, "wrong-input")
    traveller.visitor.types("Phone", "")
    traveller.visitor.presses(PAY)
    take(page, "leaving")
    traveller.opens()
    take(page, PageState.AT_PROVIDER)
    url = page.get_by_role("link", name="Continue").get_attribute("href")
    assert url is not None
    pay_by_card(url)
    traveller.visitor.presses("I have paid")
    for state in PAYMENTS_OF:
        if state is not PageState.CONFIRMED:
            set_page_state(database, booking_id, state)
        traveller.opens()
        traveller.reads(WORDS[state].heading)
        take(page, state)


def test_states_without_a_payment(site: BookingSite, traveller: Traveller) -> None:
    page, booking_id = traveller.visitor.page, traveller.address.rpartition("/")[2]
    assert site.call("DELETE", f"/bookings/{booking_id}/").status in (200, 204)
    traveller.opens()
    take(page, PageState.CANCELLED)
    traveller.visitor.opens(
        re.sub(r"[0-9a-f-]{36}", "00000000-0000-4000-8000-000000000000", traveller.address)
    )
    take(page, "unknown")

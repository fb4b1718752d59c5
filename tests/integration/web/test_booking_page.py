"""The page of a booking: what it says in each state, what it never says, and that nothing of it needs a script."""

from __future__ import annotations

import gzip
import re
import uuid
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.services.bookings.page import PageState
from app.web.assets import FOLDERS
from app.web.booking_view import WAITING, WORDS
from tests.integration.web.conftest import TRAVELLER, BookingPages, heading_of
from tests.support.bookings import pay_by_card, set_page_state

BUDGET = 6 * 1024
"""Bytes of the first view, HTML and CSS, as gzip."""

UNKNOWN = f"/bookings/{uuid.UUID(int=7)}"


def bring_about(pages: BookingPages, state: PageState) -> None:
    if state is PageState.TO_PAY:
        return
    if state is PageState.CANCELLED:
        assert pages.client.delete(f"/api/bookings/{pages.id}/").status_code in (200, 204)
        return
    assert (
        pages.pay(email="payer@example.com", first_name="Abebe", phone_number="0911234567").status_code == 200
    )
    if state is not PageState.AT_PROVIDER:
        set_page_state(pages.gateway.app, pages.id, state)


@pytest.mark.parametrize("state", PageState)
def test_each_state_has_its_words(pages: BookingPages, state: PageState) -> None:
    bring_about(pages, state)
    page = pages.get()
    words = page.get_data(as_text=True)
    assert page.status_code == 200 and page.headers["Cache-Control"] == "no-store"
    assert pages.state()["state"] == state
    assert heading_of(words) == WORDS[state].heading
    assert f"<title>{WORDS[state].heading} – Spacious" in words
    shown = re.sub(
        r"<section [^>]* hidden>.*?</section>|data-text=\"[^\"]*\"|data-heading=\"[^\"]*\"",
        "",
        words,
        flags=re.DOTALL,
    )
    is_unpaid = state in (PageState.TO_PAY, PageState.FAILED, PageState.CANCELLED)
    assert ("Nothing was paid" in shown) <= is_unpaid
    assert ("Pay 2304.00 ETB</button>" in shown) is (state in (PageState.TO_PAY, PageState.FAILED))
    assert ("do not pay again" in shown) is (state in (PageState.UNCLEAR, PageState.CHECKED))
    assert ("<script" in words) is (state in WAITING)
    assert ('<noscript><meta http-equiv="refresh"' in words) is (state in WAITING)
    for fact in ("Spacious Family Home &lt;in&gt; New York", "Hawassa, Ethiopia", "2304.00 ETB"):
        assert fact in words


@pytest.mark.parametrize("state", PageState)
def test_no_state_has_personal_data(pages: BookingPages, state: PageState) -> None:
    """Neither the traveller's nor the payer's: whoever has the id may open the page."""
    bring_about(pages, state)
    for answer in (pages.get(), pages.client.get(f"{pages.path}/state")):
        text = answer.get_data(as_text=True)
        for private in (TRAVELLER, "jane", "payer@example.com", "Abebe", "911234567", "tx-"):
            assert private not in text, private
    assert 'value=""' in pages.words() or "<input" not in pages.words()


def test_the_whole_path_needs_no_script(pages: BookingPages) -> None:
    assert "Pay 2304.00 ETB" in pages.words()
    left = pages.pay(first_name=" Abebe ", email="payer@example.com")
    words = left.get_data(as_text=True)
    (url,) = re.findall(r'<meta http-equiv="refresh" content="0;url=([^"]+)">', words)
    host = pages.gateway.sandbox.url.removeprefix("http://")
    assert left.status_code == 200 and url.startswith(f"http://{host}/chapa/")
    assert f"Continue to {host}" in words and heading_of(words) == f"Going on to {host}"
    (payment,) = pages.payments()
    assert (payment.customer_email, payment.customer_name) == ("payer@example.com", "Abebe")

    assert '<a class="button" href="' + url in pages.words(), "whoever comes back can go on"
    assert pages.check().status_code == 303 and pages.state()["state"] == "at_provider"
    assert url in pages.pay().get_data(as_text=True), "a second time the same payment"

    pay_by_card(url)
    asked = pages.check()
    assert (asked.status_code, asked.headers["Location"]) == (303, pages.path)
    words, state = pages.words(), pages.state()
    assert heading_of(words) == "Your booking is confirmed" and "A confirmation is sent by e-mail." in words
    assert state.keys() == {"state", "payment_id", "transaction_id", "amount", "currency", "paid_at"}
    assert (state["amount"], state["currency"]) == ("2304.00", "ETB") and state["transaction_id"]
    for fact in (pages.id, str(payment.id), state["transaction_id"], state["paid_at"][:10]):
        assert fact in words
    assert pages.pay().status_code == 303 and len(pages.payments()) == 1


def test_wrong_input_comes_back_with_what_was_entered(pages: BookingPages) -> None:
    answer = pages.pay(
        first_name="Abebe", email="not an address", phone_number="12", last_name="4242 4242 4242 4242"
    )
    words = answer.get_data(as_text=True)
    assert answer.status_code == 400 and pages.payments() == []
    assert "<title>Error: " in words and "There is a problem" in words
    for name in ("email", "phone_number", "last_name"):
        assert f'<a href="#{name}">' in words and f'id="{name}_problem"' in words
    assert 'value="Abebe"' in words and 'value="not an address"' in words
    assert "4242 4242" not in words, "a card number is not repeated"
    assert words.count("autofocus") == 1


def test_a_phone_number_is_of_the_currency_s_country(pages: BookingPages) -> None:
    assert pages.pay(phone_number="0911234567").status_code == 200
    assert pages.payments()[0].customer_phone == "+251911234567"


def test_what_the_provider_refuses_is_said_and_can_be_tried_again(pages: BookingPages) -> None:
    rule = {"provider": "chapa", "operation": "initialize", "fault": "token_expired", "times": 1}
    pages.gateway.sandbox.control({"rules": [rule]})
    answer = pages.pay(first_name="Abebe")
    words = answer.get_data(as_text=True)
    assert answer.status_code == 400 and "could not be begun just now. Nothing was paid." in words
    assert 'value="Abebe"' in words and "Pay 2304.00 ETB</button>" in words
    assert pages.pay().status_code == 200


@pytest.mark.parametrize("state", [PageState.UNCLEAR, PageState.CHECKED])
def test_nothing_is_begun_while_money_may_have_come(pages: BookingPages, state: PageState) -> None:
    bring_about(pages, state)
    assert pages.pay().status_code == 303
    assert len(pages.payments()) == 1


def test_a_provider_that_cannot_be_asked_changes_nothing(pages: BookingPages) -> None:
    bring_about(pages, PageState.AT_PROVIDER)
    rule = {"provider": "chapa", "operation": "verify", "fault": "before", "status": 500}
    pages.gateway.sandbox.control({"rules": [rule]})
    answer = pages.check()
    assert answer.status_code == 400 and "could not be asked just now. Nothing has changed." in answer.text
    assert pages.state()["state"] == "at_provider"


def test_forms_of_other_pages_are_refused(pages: BookingPages) -> None:
    others = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        {"Origin": "https://elsewhere.example"},
        {},
    ]
    for headers in others:
        for answer in (pages.pay(headers=headers), pages.check(headers=headers)):
            assert answer.status_code == 403 and answer.mimetype == "text/html", headers
    assert pages.payments() == []
    assert pages.pay(headers={"Origin": "null"}).status_code == 200, "a browser without Sec-Fetch-Site"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//elsewhere.example/x",
        "ftp://elsewhere.example/",
        "https://chapa.co@elsewhere.example/",
    ],
)
def test_a_strange_address_of_the_provider_is_not_linked(pages: BookingPages, url: str) -> None:
    bring_about(pages, PageState.AT_PROVIDER)
    pages.change("UPDATE payments SET payment_url = :url WHERE order_id = :id", url=url)
    for answer in (pages.get(), pages.pay()):
        assert url not in answer.text and "Continue" not in answer.text
    assert "cannot be opened" in pages.pay().text


def test_unknown_bookings_are_a_page(client: FlaskClient) -> None:
    page = client.get(UNKNOWN)
    assert page.status_code == 404 and page.mimetype == "text/html"
    assert heading_of(page.text) == "There is no such booking"
    assert client.get(f"{UNKNOWN}/state").status_code == 404
    assert client.post(f"{UNKNOWN}/pay", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 404


def test_the_answers_of_forms_can_be_opened_again(pages: BookingPages) -> None:
    for name in ("pay", "check"):
        answer = pages.client.get(f"{pages.path}/{name}?status=success")
        assert (answer.status_code, answer.headers["Location"]) == (303, pages.path)


def test_providers_may_append_to_the_address(pages: BookingPages) -> None:
    assert pages.client.get(f"{pages.path}?trx_ref=tx-1&status=success").data == pages.get().data


def test_the_first_view_is_small_and_loads_no_script(pages: BookingPages) -> None:
    words = pages.words()
    assert (
        "<script" not in words
        and "style=" not in words
        and "script-src" not in pages.get().headers["Content-Security-Policy"]
    )
    (style,) = re.findall(r'href="(/assets/[^"]+)"', words)
    sheet = pages.client.get(style, headers={"Accept-Encoding": "gzip"})
    assert len(gzip.compress(words.encode(), 6)) + len(sheet.data) <= BUDGET


def test_the_script_is_small_and_writes_no_html() -> None:
    script = (FOLDERS[0] / "booking.js").read_text()
    assert len(script.encode()) <= 2048
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval", script)
    assert "/check" not in script and "/pay" not in script, (
        "asking the provider ends a failed try: only people do"
    )


def test_a_page_that_waits_has_all_states_that_may_come(pages: BookingPages) -> None:
    bring_about(pages, PageState.AT_PROVIDER)
    words = pages.words()
    sections = re.findall(r'<section data-state="(\w+)"[^>]*?( hidden)?>', words)
    assert sections[0] == ("at_provider", "")
    assert {state for state, _ in sections[1:]} == set(PageState) - {"to_pay", "at_provider"}
    assert all(hidden for _, hidden in sections[1:])
    policy = pages.get().headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "trusted-types 'none'" in policy
    assert "socket.io" not in pages.get(**{"Save-Data": "on"}).text


def test_a_demo_says_so(settings: dict[str, str], tmp_path: Path, client: FlaskClient) -> None:
    demo = create_app(settings | {"GATEWAY_ENV": "demo", "VAR_DIR": str(tmp_path)}).test_client()
    assert "Demo: no real money" in demo.get(UNKNOWN).text
    assert "Demo: no real money" not in client.get(UNKNOWN).text

"""The page of a booking in a browser: the whole way to the confirmation, live, by polling, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import expect

from tests.browser.conftest import MakeTraveller, MerchantClient
from tests.support.bookings import DECLINED_CARD, GOOD_CARD
from tests.support.travellers import PAY

LOADED = "window.loadedOnce"
"""Set in a page, it is gone after the next load."""

CONFIRMED = "Your booking is confirmed"
AT_PROVIDER = "Waiting for your payment"


@contextmanager
def late_callbacks(merchant: MerchantClient, seconds: float) -> Iterator[None]:
    """Chapa reports a payment so long after it; the traveller is back before."""
    rule = {"provider": "chapa", "fault": "callback_delay", "seconds": seconds}
    merchant.control({"rules": [rule]})
    try:
        yield
    finally:
        merchant.control({"rules": []})


def test_the_confirmation_appears_without_loading_the_page_again(
    merchant: MerchantClient, make_traveller: MakeTraveller
) -> None:
    traveller = make_traveller()
    traveller.opens()
    traveller.reads("Your booking is not paid yet")
    assert [url for url in traveller.visitor.asked if url.endswith(".js")] == []
    with late_callbacks(merchant, 4):
        traveller.goes_to_the_provider(First_name="Abebe", Phone="0911234567")
        with traveller.visitor.page.expect_websocket() as opened:
            traveller.pays_with(GOOD_CARD)
        assert "/socket.io/" in opened.value.url
        traveller.visitor.is_at(traveller.address)
        traveller.reads(AT_PROVIDER)
        page = traveller.visitor.page
        page.evaluate(f"{LOADED} = true")
        traveller.reads(CONFIRMED)
    assert page.evaluate(LOADED) is True
    for text in ("A confirmation is sent by e-mail.", "Transaction id", "2304.00 ETB"):
        traveller.visitor.sees(text)
    expect(page.get_by_role("status")).to_contain_text("Thank you.")
    assert page.evaluate("document.activeElement === document.querySelector('h1')")
    live = page.locator("section:visible dd").all_inner_texts()
    page.reload()
    assert page.locator("section:visible dd").all_inner_texts() == live
    assert all(live)


def test_a_push_is_faster_than_polling(merchant: MerchantClient, make_traveller: MakeTraveller) -> None:
    """The page's own clock stands still, so it polls no more."""
    traveller = make_traveller()
    traveller.opens()
    with late_callbacks(merchant, 4):
        traveller.goes_to_the_provider()
        traveller.visitor.page.clock.install()
        traveller.visitor.page.clock.pause_at("2100-01-01")
        traveller.pays_with(GOOD_CARD)
        traveller.reads(AT_PROVIDER)
        traveller.reads(CONFIRMED)


def test_without_socket_io_it_polls(merchant: MerchantClient, make_traveller: MakeTraveller) -> None:
    traveller = make_traveller()
    page = traveller.visitor.page
    page.route("**/assets/socket.io.*", lambda route: route.fulfill(content_type="text/javascript", body=""))
    traveller.opens()
    with late_callbacks(merchant, 4):
        traveller.goes_to_the_provider()
        traveller.pays_with(GOOD_CARD)
        traveller.reads(AT_PROVIDER)
        page.evaluate(f"{LOADED} = true")
        traveller.reads(CONFIRMED)
    assert page.evaluate(LOADED) is True
    assert not any("/socket.io/" in url for url in traveller.visitor.asked)


def test_without_scripts_it_reloads_itself(merchant: MerchantClient, make_traveller: MakeTraveller) -> None:
    traveller = make_traveller(java_script_enabled=False)
    traveller.opens()
    with late_callbacks(merchant, 4):
        traveller.goes_to_the_provider()
        traveller.pays_with(GOOD_CARD)
        traveller.reads(AT_PROVIDER)
        traveller.reads(CONFIRMED)


def test_whoever_asks_need_not_wait(merchant: MerchantClient, make_traveller: MakeTraveller) -> None:
    traveller = make_traveller()
    traveller.opens()
    with late_callbacks(merchant, 600):
        traveller.goes_to_the_provider()
        traveller.pays_with(GOOD_CARD)
        traveller.reads(AT_PROVIDER)
        traveller.visitor.presses("I have paid")
        traveller.reads(CONFIRMED)


def test_a_declined_card_is_followed_by_a_good_one(make_traveller: MakeTraveller) -> None:
    """The try is ended by the traveller's own question; the form is there again, and a new payment is confirmed."""
    traveller = make_traveller()
    traveller.opens()
    traveller.goes_to_the_provider()
    traveller.pays_with(DECLINED_CARD)
    traveller.visitor.sees("The card was declined.")
    traveller.opens()
    traveller.reads(AT_PROVIDER)
    traveller.visitor.presses("I have paid")
    traveller.reads("The payment failed. Nothing was paid.")
    traveller.goes_to_the_provider()
    traveller.pays_with(GOOD_CARD)
    traveller.reads(CONFIRMED)


def test_another_tab_does_not_end_a_failed_try(
    merchant: MerchantClient, make_traveller: MakeTraveller
) -> None:
    """The page that waits asks the gateway alone, so the traveller can try another card at the provider's page."""
    traveller = make_traveller()
    traveller.opens()
    traveller.goes_to_the_provider()
    waiting = traveller.visitor.page.context.new_page()
    waiting.goto(traveller.address)
    traveller.pays_with(DECLINED_CARD)
    traveller.visitor.sees("The card was declined.")
    with waiting.expect_response("**/state"):
        waiting.evaluate("dispatchEvent(new Event('online'))")
    expect(waiting.get_by_role("heading", level=1)).to_have_text(AT_PROVIDER)
    traveller.pays_with(GOOD_CARD)
    expect(waiting.get_by_role("heading", level=1)).to_have_text(CONFIRMED)


def test_a_failure_shows_the_form_live(make_traveller: MakeTraveller) -> None:
    """One tab asks, the other shows what came of it, and pays from there."""
    traveller = make_traveller()
    traveller.opens()
    traveller.goes_to_the_provider()
    traveller.pays_with(DECLINED_CARD)
    asking = traveller.visitor.page.context.new_page()
    traveller.opens()
    traveller.reads(AT_PROVIDER)
    asking.goto(traveller.address)
    asking.get_by_role("button", name="I have paid").click()
    traveller.reads("The payment failed. Nothing was paid.")
    traveller.goes_to_the_provider()
    traveller.pays_with(GOOD_CARD)
    traveller.reads(CONFIRMED)


def test_wrong_input_is_explained(make_traveller: MakeTraveller) -> None:
    traveller = make_traveller()
    traveller.opens()
    traveller.visitor.types("Phone", "12")
    traveller.visitor.presses(PAY)
    alert = traveller.visitor.page.get_by_role("alert")
    expect(alert).to_be_focused()
    alert.get_by_role("link").click()
    expect(traveller.visitor.page.get_by_label("Phone")).to_be_focused()

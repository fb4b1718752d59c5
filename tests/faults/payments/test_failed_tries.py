"""A customer whose try to pay fails on a provider's page may try again there: the payment is open until the page is."""

from __future__ import annotations

from typing import Any, Final

import pytest
import requests

from tests.faults.payments.expectations import PAID, Expected
from tests.faults.payments.facts import assert_paid_once, events, outcome
from tests.support.gateway import Gateway

_CARD: Final = {"method": "Visa", "account": "5200000000000114"}

TRIES: Final[dict[str, tuple[str, dict[str, str], dict[str, str]]]] = {
    "paystack": (
        "/card",
        {"number": "4084080000005408", "cvv": "001"},
        {"number": "4084084084084081", "cvv": "408"},
    ),
    "pesapal": ("", _CARD | {"action": "fail"}, _CARD | {"action": "pay"}),
    "chapa": ("/card", {"number": "4000000000000002"}, {"number": "4242424242424242"}),
}
"""Provider → what its page is sent: path, a card that is declined, a card that pays."""


def submit(page: str, form: dict[str, str]) -> None:
    assert requests.post(page, data=form, timeout=30, allow_redirects=False).status_code in (200, 302, 303)


def after_a_declined_card(gateway: Gateway, provider: str) -> tuple[str, str]:
    """A payment whose first card was declined, and its page."""
    gateway.sandbox.control({"autopay_s": 300_000})
    payment_id = gateway.begin(provider)
    path, declined, _ = TRIES[provider]
    page = f"{gateway.payment(payment_id)['payment_url']}{path}"
    submit(page, declined)
    gateway.settle(payment_id, hours=0.3)
    return payment_id, page


def shown_try(gateway: Gateway, payment_id: str) -> dict[str, Any]:
    """What the event says of the failed try; there is one, however often the provider is queried."""
    ((data, is_public),) = gateway.rows(
        "SELECT data, is_public FROM outbox WHERE object_id = :id AND type = 'payment.try_failed'",
        id=payment_id,
    )
    assert is_public
    found: dict[str, Any] = data["try"]
    return found


@pytest.mark.parametrize("provider", TRIES)
def test_the_second_card_completes_the_payment(gateway: Gateway, provider: str) -> None:
    """Without a person. Breaks when a declined card ends a payment whose page is still open."""
    payment_id, page = after_a_declined_card(gateway, provider)
    payment = gateway.payment(payment_id)
    assert (payment["status"], payment["review"], payment["failure_reason"]) == ("processing", None, None)
    assert payment["payment_url"], "the page is still offered"
    assert shown_try(gateway, payment_id)["code"] and shown_try(gateway, payment_id)["message"]
    submit(page, TRIES[provider][2])
    gateway.settle(payment_id, hours=0.3)
    assert outcome(gateway, payment_id) == PAID
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", TRIES)
def test_nobody_tries_again(gateway: Gateway, provider: str) -> None:
    """The payment fails when the page's time is over, and where the page can be closed it is closed first."""
    payment_id, page = after_a_declined_card(gateway, provider)
    assert gateway.settle(payment_id, hours=23)["status"] == "processing"
    payment = gateway.settle(payment_id, hours=26)
    assert (payment["status"], payment["failure_reason"]) == ("failed", "The customer did not pay in time.")
    assert events(gateway, payment_id).count("payment.failed") == 1
    if provider != "paystack":
        requests.post(page, data=TRIES[provider][2], timeout=30, allow_redirects=False)
        assert outcome(gateway, payment_id) == Expected("failed", 0)

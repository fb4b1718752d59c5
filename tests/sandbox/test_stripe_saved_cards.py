"""Stripe's simulator: which cards may be charged again, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.support.sandbox_parts import served_sandbox

CARD = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, "confirm": True}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with served_sandbox(tmp_path_factory.mktemp("stripe"), autopay_s=None) as sandbox:
        base = {"api": f"{sandbox.url}/stripe"}
        yield stripe.StripeClient("sk_test_sandbox", base_addresses=base, max_network_retries=0).v1


def pay(client: Any, method: str, **more: Any) -> Any:
    params = {"amount": 5000, "currency": "usd", "payment_method": method, **CARD, **more}
    return client.payment_intents.create(params)


def test_a_card_without_a_customer_is_used_once(client: Any) -> None:
    used = pay(client, "pm_card_visa").payment_method
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        pay(client, used)


def test_a_kept_card_is_charged_with_its_customer_alone(client: Any) -> None:
    jane, joe = (client.customers.create({"email": f"{name}@example.com"}).id for name in ("jane", "joe"))
    kept = pay(client, "pm_card_visa", customer=jane, setup_future_usage="off_session").payment_method
    assert client.payment_methods.retrieve(kept).customer == jane
    assert client.customers.retrieve(jane).email == "jane@example.com"
    assert pay(client, kept, customer=jane, off_session=True).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="must provide the customer"):
        pay(client, kept)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        pay(client, kept, customer=joe)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        pay(client, kept, customer="cus_none")


def test_off_session_a_bank_that_asks_for_the_holder_declines(client: Any) -> None:
    assert pay(client, "pm_card_authenticationRequired").status == "requires_action"
    with pytest.raises(stripe.CardError) as declined:
        pay(client, "pm_card_authenticationRequired", off_session=True)
    assert declined.value.code == "authentication_required"
    with pytest.raises(stripe.InvalidRequestError, match="off_session"):
        pay(client, "pm_card_visa", off_session=True, confirm=False)

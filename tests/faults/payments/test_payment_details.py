"""What a merchant says of a payment beside its amount: which provider can take it, and what the customer reads."""

from __future__ import annotations

import pytest

from tests.support.gateway import HTTP_PROVIDERS, Gateway


def test_the_gateway_chooses_among_providers_whose_needs_are_met(gateway: Gateway) -> None:
    """M-Pesa would be the cheapest; it needs a phone, Paystack an e-mail, Pesapal one of them."""
    answer = gateway.initialize("auto", 1000, customer={})
    assert (answer.status_code, answer.json()["data"]["provider"]) == (201, "stripe")
    by_email = gateway.initialize("auto", 1000, customer={"email": "customer@example.com"})
    assert by_email.json()["data"]["provider"] in ("paystack", "pesapal")
    by_phone = gateway.initialize("auto", 1000, customer={"phone": "+254700000000"})
    assert by_phone.json()["data"]["provider"] == "mpesa"


def test_the_customer_reads_the_merchants_reference_on_the_phone(gateway: Gateway) -> None:
    payment_id = gateway.begin("mpesa", 118, reference="INV20260118")
    assert gateway.settle(payment_id)["status"] == "completed"
    (entry,) = gateway.sandbox.book("mpesa", "INV20260118")["entries"]
    assert (entry["kind"], entry["amount"]) == ("charge", "118.00")


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_a_description_longer_than_the_provider_takes_is_cut(gateway: Gateway, provider: str) -> None:
    """The simulators of Chapa, Pesapal and M-Pesa refuse what is longer than their providers take."""
    description = "Two shirts and " + "x" * 185
    answer = gateway.initialize(provider, description=description)
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"]["description"] == description

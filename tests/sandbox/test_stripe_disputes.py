"""Stripe's simulator: inquiries, and the page where the bank decides a dispute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe

from tests.support.sandbox import RunningSandbox
from tests.support.sandbox_parts import served_sandbox

CARD = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, "confirm": True}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(tmp_path_factory.mktemp("stripe"), autopay_s=None) as running:
        yield running


@pytest.fixture(scope="module")
def client(sandbox: RunningSandbox) -> Any:
    base = {"api": f"{sandbox.url}/stripe"}
    return stripe.StripeClient("sk_test_sandbox", base_addresses=base, max_network_retries=0).v1


def pay(client: Any, method: str) -> Any:
    return client.payment_intents.create(
        {"amount": 5000, "currency": "usd", "payment_method": method, **CARD}
    )


def test_an_inquiry_withdraws_nothing_until_it_escalates(client: Any) -> None:
    intent = pay(client, "pm_card_createDisputeInquiry")
    (dispute,) = client.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert client.refunds.create({"payment_intent": intent.id, "amount": 1000}).status == "succeeded"
    evidence = {"uncategorized_text": "escalate_inquiry_evidence"}
    dispute = client.disputes.update(dispute.id, {"evidence": evidence, "submit": True})
    assert (dispute.status, len(dispute.balance_transactions)) == ("needs_response", 1)
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.refunds.create({"payment_intent": intent.id, "amount": 1000})


def test_the_bank_decides_on_its_page(sandbox: RunningSandbox, client: Any) -> None:
    intent = pay(client, "pm_card_createDispute")
    (dispute,) = client.disputes.list({"payment_intent": intent.id}).data
    page = f"{sandbox.url}/stripe/disputes/{dispute.id}"
    assert "The merchant wins" in requests.get(page, timeout=30).text
    assert requests.post(page, data={"answer": "escalate"}, timeout=30).status_code == 400
    for answer, status, moved in (("lose", "lost", 1), ("reinstate", "won", 2)):
        assert requests.post(page, data={"answer": answer}, timeout=30).status_code == 200
        dispute = client.disputes.retrieve(dispute.id)
        assert (dispute.status, len(dispute.balance_transactions)) == (status, moved)
    assert requests.post(page, data={"answer": "lose"}, timeout=30).status_code == 400
    entries = sandbox.book("stripe")["entries"]
    assert [one["kind"] for one in entries if one["id"] == dispute.id] == ["refund", "refund_return"]
    assert client.refunds.create({"payment_intent": intent.id}).status == "succeeded"

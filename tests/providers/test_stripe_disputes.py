"""What Stripe says about a dispute, and what of it is not believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.money import Money
from app.providers.base import ReportedDispute
from app.providers.errors import OTHER_ID, OutcomeUnknown, UnclearAnswer, WrongEnvironment
from app.providers.stripe import StripeProvider, statuses
from tests.support.canned import Canned, CannedServer
from tests.support.providers import make_provider
from tests.support.stripe_objects import CHARGE_REFERENCE, KEYS

CHARGE = replace(CHARGE_REFERENCE, provider_reference="cs_test_1", receipt="pi_1")

DISPUTE: dict[str, Any] = {
    "id": "du_1",
    "object": "dispute",
    "amount": 1000,
    "balance_transactions": [
        {"id": "txn_1", "object": "balance_transaction", "amount": -1000, "fee": 1500, "net": -2500}
    ],
    "charge": "ch_1",
    "currency": "usd",
    "is_charge_refundable": False,
    "livemode": False,
    "metadata": {},
    "payment_intent": "pi_1",
    "reason": "fraudulent",
    "status": "needs_response",
}


@pytest.fixture(scope="module")
def stripe_server() -> Iterator[CannedServer]:
    with CannedServer() as server:
        yield server


def ask(server: CannedServer, **more: Any) -> ReportedDispute:
    server.will(Canned(body=DISPUTE | more))
    return make_provider(StripeProvider, server.url, **KEYS).inquire_dispute(CHARGE, "du_1")


def test_a_dispute_is_retrieved_by_its_id(stripe_server: CannedServer) -> None:
    reported = ask(stripe_server)
    assert stripe_server.paths() == ["/v1/disputes/du_1"]
    assert (reported.provider_reference, reported.status.value) == ("du_1", "open")
    assert (reported.amount, reported.reason) == (Money(1000, "USD"), "fraudulent")


def test_the_dispute_of_another_payment_or_environment_is_not_believed(stripe_server: CannedServer) -> None:
    for other in ("pi_2", None):
        with pytest.raises(OutcomeUnknown) as caught:
            ask(stripe_server, payment_intent=other)
        assert caught.value.code == OTHER_ID
    with pytest.raises(WrongEnvironment):
        ask(stripe_server, livemode=True)
    with pytest.raises(UnclearAnswer):
        ask(stripe_server, status="astonished")


def test_dispute_words() -> None:
    assert {word: status.value for word, status in statuses.DISPUTES.items()} == {
        "warning_needs_response": "inquiry",
        "warning_under_review": "inquiry",
        "warning_closed": "closed",
        "needs_response": "open",
        "under_review": "open",
        "appeal_needs_response": "open",
        "appeal_under_review": "open",
        "won": "won",
        "lost": "lost",
        "charge_refunded": "closed",
        "prevented": "closed",
    }

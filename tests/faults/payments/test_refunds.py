"""Refunds whose answers and callbacks are lost: the money is refunded once or not at all, and never on a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import pytest

from tests.faults.payments.facts import operator
from tests.support.gateway import HTTP_PROVIDERS, Gateway

AMOUNT = 100
OPERATIONS: Final = dict.fromkeys(HTTP_PROVIDERS, "refund") | {"mpesa": "reversal"}


@dataclass(frozen=True)
class Ended:
    """payment: its status. refund: the state in the database. returned: refunds in the provider's own book."""

    payment: str
    refund: str
    returned: int


REFUNDED: Final = Ended("refunded", "completed", 1)
NOT_RECEIVED: Final = Ended("completed", "failed", 0)
WAITS: Final = Ended("completed", "unknown", 0)

RULES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "answer dropped": {"fault": "drop", "times": 1},
        "5xx after": {"fault": "after", "times": 1},
        "5xx before": {"fault": "before", "status": 503},
        "callback lost": {"fault": "callback_lost"},
        "callback three times": {"fault": "callback_copies", "copies": 3},
    }
)

TABLE: Final = MappingProxyType(
    {
        "answer dropped": dict.fromkeys(HTTP_PROVIDERS, REFUNDED),
        "5xx after": dict.fromkeys(HTTP_PROVIDERS, REFUNDED),
        # Only Stripe's list proves at the horizon that there is none; elsewhere an operator decides.
        "5xx before": dict.fromkeys(HTTP_PROVIDERS, WAITS) | {"stripe": NOT_RECEIVED},
        "callback lost": dict.fromkeys(HTTP_PROVIDERS, REFUNDED),
        "callback three times": dict.fromkeys(HTTP_PROVIDERS, REFUNDED),
    }
)


def paid(gateway: Gateway, provider: str) -> str:
    payment_id = gateway.begin(provider, AMOUNT)
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id


def refunds(gateway: Gateway, payment_id: str) -> list[Any]:
    return gateway.rows("SELECT * FROM refunds WHERE payment_id = :id ORDER BY id", id=payment_id)


def returned(gateway: Gateway, provider: str) -> list[dict[str, Any]]:
    return [entry for entry in gateway.sandbox.book(provider)["entries"] if entry["kind"] == "refund"]


@pytest.mark.parametrize("fault", TABLE)
def test_refunds_end_in_the_providers_true_states(gateway: Gateway, fault: str) -> None:
    """One refund through each provider, all with the same fault."""
    ids = {provider: paid(gateway, provider) for provider in HTTP_PROVIDERS}
    before = {provider: len(returned(gateway, provider)) for provider in ids}
    rules = [{**RULES[fault], "provider": name, "operation": OPERATIONS[name]} for name in HTTP_PROVIDERS]
    gateway.sandbox.control({"rules": rules})
    for payment_id in ids.values():
        assert gateway.refund(payment_id).status_code == 200, "an answer that was lost is no failure"
    for provider, payment_id in ids.items():
        hours = 2 if TABLE[fault][provider] == WAITS else 26
        gateway.settle(payment_id, until=("refunded",), hours=hours)
    assert {name: _ended(gateway, name, ids[name], before[name]) for name in ids} == TABLE[fault]
    for provider, payment_id in ids.items():
        reserved = gateway.rows("SELECT refund_reserved FROM payments WHERE id = :id", id=payment_id)[0][0]
        is_free = TABLE[fault][provider] == NOT_RECEIVED
        assert reserved == (0 if is_free else AMOUNT * 100), "held until it is known"
    gateway.assert_ledger_matches_providers()


def _ended(gateway: Gateway, provider: str, payment_id: str, returned_before: int) -> Ended:
    (refund,) = refunds(gateway, payment_id)
    made = len(returned(gateway, provider)) - returned_before
    return Ended(gateway.payment(payment_id)["status"], refund.state, made)


def test_refund_that_did_not_happen_can_be_requested_again(gateway: Gateway) -> None:
    payment_id = paid(gateway, "stripe")
    gateway.sandbox.control(
        {"rules": [{"fault": "before", "provider": "stripe", "operation": "refund", "times": 1}]}
    )
    assert gateway.refund(payment_id).status_code == 200
    gateway.settle(payment_id, until=("refunded",), hours=26)
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    assert [row.state for row in refunds(gateway, payment_id)] == ["failed", "completed"]
    assert gateway.payment(payment_id)["review"] is None
    gateway.assert_ledger_matches_providers()


def test_no_second_refund_is_sent_while_one_is_unknown(gateway: Gateway) -> None:
    """The first may have arrived: its amount stays held, and the customer is never paid back twice."""
    payment_id = paid(gateway, "paystack")
    gateway.sandbox.control(
        {"rules": [{"fault": "drop", "provider": "paystack", "operation": "refund", "times": 1}]}
    )
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.refund(payment_id).status_code == 400
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("word", ["--completed", "--failed"])
def test_operator_ends_a_refund_without_an_inquiry(gateway: Gateway, word: str) -> None:
    payment_id = paid(gateway, "mpesa")
    fault = "after" if word == "--completed" else "before"
    rules = [
        {"fault": fault, "provider": "mpesa", "operation": "reversal"},
        {"fault": "callback_lost", "provider": "mpesa", "operation": "callback"},
    ]
    gateway.sandbox.control({"rules": rules})
    assert gateway.refund(payment_id).status_code == 200
    gateway.settle(payment_id, until=("refunded",), hours=2)
    (refund,) = refunds(gateway, payment_id)
    assert (refund.state, gateway.payment(payment_id)["review"]) == ("unknown", "refund_unknown")
    operator(gateway, "payments", "resolve-refund", refund.id, word)
    found = gateway.payment(payment_id)
    assert found["status"] == ("refunded" if word == "--completed" else "completed")
    assert found["review"] is None
    gateway.assert_ledger_matches_providers()

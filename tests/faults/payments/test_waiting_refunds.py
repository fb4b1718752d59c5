"""Refunds that were answered `processing` and are sent later: for want of a slot, with the provider away then, or for want of
the payment's receipt.

Seen failing when the refund ends with the first refused connection, or fails at once without a receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.providers.errors import NotSent
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.bulkhead import Bulkheads
from tests.faults.payments.deliveries import Delivery, latest, receipt_of
from tests.faults.payments.facts import operator, refused
from tests.support.gateway import ONE_OF_A_KIND, Gateway

AMOUNT = 100


@pytest.fixture
def refuse_first(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[int]]:
    """Let a provider's first refunds meet a refused connection; the list that is returned grows with every try."""

    def begin(name: str, count: int) -> list[int]:
        with gateway.app.app_context():
            provider = provider_accounts.for_tenant(gateway.tenant_id, name).provider
        real, tries = provider._refund, []

        def refund(request: Any) -> Any:
            tries.append(1)
            if len(tries) <= count:
                raise NotSent
            return real(request)

        monkeypatch.setattr(provider, "_refund", refund)
        return tries

    return begin


def _queued_refund(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, provider: str) -> str:
    """The payment's id."""
    payment_id = gateway.begin(provider, AMOUNT)
    assert gateway.settle(payment_id)["status"] == "completed"
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", bulkheads := Bulkheads(1))
    assert bulkheads.try_acquire(provider)
    answer = gateway.refund(payment_id)
    bulkheads.release(provider)
    assert answer.status_code == 200, answer.text
    return payment_id


def _refund(gateway: Gateway, payment_id: str) -> Any:
    (refund,) = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id", id=payment_id)
    return refund


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_it_is_sent_when_the_provider_is_back(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    refuse_first: Callable[[str, int], list[int]],
    provider: str,
) -> None:
    payment_id = _queued_refund(gateway, monkeypatch, provider)
    tries = refuse_first(provider, 3)
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    assert len(tries) == 4
    gateway.assert_ledger_matches_providers()


def test_an_operator_is_told_and_may_end_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, refuse_first: Callable[[str, int], list[int]]
) -> None:
    payment_id = _queued_refund(gateway, monkeypatch, "stripe")
    refuse_first("stripe", 1_000)
    assert gateway.settle(payment_id, until=(), hours=0.5)["review"] == "refund_stuck"
    refund = _refund(gateway, payment_id)
    assert refund.state == "created"
    operator(gateway, "payments", "resolve-refund", refund.id, "--failed")
    assert _refund(gateway, payment_id).state == "failed"
    payment = gateway.payment(payment_id)
    assert (payment["status"], payment["review"]) == ("completed", None)
    monkeypatch.undo()
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


def _paid_without_a_receipt(gateway: Gateway) -> tuple[str, Delivery]:
    """An M-Pesa payment that an inquiry completed, and its callback, which was lost: only that has the receipt."""
    gateway.sandbox.control({"rules": [{"fault": "callback_lost", "operation": "callback", "times": 1}]})
    payment_id = gateway.begin("mpesa", AMOUNT)
    assert gateway.settle(payment_id)["status"] == "completed"
    assert gateway.attempts(payment_id)[-1].receipt is None
    return payment_id, latest(gateway, "mpesa")


def test_it_waits_for_the_receipt(gateway: Gateway) -> None:
    payment_id, callback = _paid_without_a_receipt(gateway)
    answer = gateway.refund(payment_id)
    assert (answer.status_code, _refund(gateway, payment_id).state) == (200, "created"), answer.text
    assert callback.send().status_code == 200
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


def test_the_receipt_is_looked_for_in_the_statement(gateway_with_pull: Gateway) -> None:
    payment_id, _ = _paid_without_a_receipt(gateway_with_pull)
    assert gateway_with_pull.refund(payment_id).status_code == 200
    assert gateway_with_pull.settle(payment_id, until=("refunded",), hours=1)["status"] == "refunded"
    gateway_with_pull.assert_ledger_matches_providers()


def test_an_operator_gives_the_receipt(gateway: Gateway) -> None:
    other_id = gateway.begin("mpesa", AMOUNT)
    assert gateway.settle(other_id)["status"] == "completed"
    payment_id, callback = _paid_without_a_receipt(gateway)
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.settle(payment_id, until=(), hours=0.5)["review"] == "refund_stuck"
    others = gateway.attempts(other_id)[-1].receipt
    resolve = ("payments", "resolve", payment_id, "--paid", "--receipt")
    assert "another payment" in refused(gateway, *resolve, others)
    operator(gateway, *resolve, receipt_of(callback))
    found = gateway.settle(payment_id, until=("refunded",))
    assert (found["status"], found["review"]) == ("refunded", None)
    gateway.assert_ledger_matches_providers()

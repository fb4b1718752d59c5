"""A refund that was answered `processing` for want of a slot, and whose provider is away when it is sent.

Seen failing when the refund ends with the first refused connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.providers.errors import NotSent
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.bulkhead import Bulkheads
from tests.faults.payments.facts import operator
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
    assert gateway.settle(payment_id, until=(), hours=48)["review"] == "refund_stuck"
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

"""Many open payments of a provider that hangs: its jobs ask less and less often, and leave the worker to the others."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from app import clock
from app.providers import PROVIDERS
from app.services.operator import reconciliation
from app.services.payments import follow_up as payment_follow_up
from app.services.provider_access.bulkhead import Bulkheads
from app.services.refunds import follow_up as refund_follow_up
from tests.faults.payments.expectations import rules
from tests.support.gateway import Gateway


class _Full(Bulkheads):
    """No free slot at any provider."""

    def __init__(self) -> None:
        super().__init__(1)

    def try_acquire(self, provider: str) -> bool:
        return False


@pytest.fixture
def full(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", _Full())
    return gateway


def _waits(gateway: Gateway, follow_up: object, thing_id: uuid.UUID, ages_s: list[int]) -> list[float]:
    """How long a job without a slot waits, at these ages."""
    found = []
    with gateway.app.app_context():
        for age_s in ages_s:
            clock.reset()
            clock.travel(timedelta(seconds=age_s))
            run_at = follow_up(thing_id)  # type: ignore[operator]
            found.append((run_at - clock.now()).total_seconds())
    clock.reset()
    return found


def test_payment_without_a_slot_is_retried_with_growing_delays(full: Gateway) -> None:
    """Breaks when each is retried every second: ten thousand of them are ten thousand leases a second."""
    payment_id = full.begin("stripe", 100)
    (attempt,) = full.attempts(payment_id)
    assert attempt.state == "created"
    soon, later, late = _waits(full, payment_follow_up.follow_up, attempt.id, [2, 60, 600])
    assert 0 < soon <= 2
    assert 10 <= later <= 20
    assert 25 <= late <= 40


def test_refund_without_a_slot_is_retried_with_growing_delays(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = gateway.begin("stripe", 100)
    assert gateway.settle(payment_id)["status"] == "completed"
    with monkeypatch.context() as patched:
        patched.setitem(gateway.app.extensions, "bulkheads", _Full())
        assert gateway.refund(payment_id, 10).status_code == 200
        (refund,) = gateway.rows("SELECT id FROM refunds WHERE payment_id = :id", id=payment_id)
        soon, late = _waits(gateway, refund_follow_up.follow_up, refund.id, [2, 600])
        assert 0 < soon <= 2
        assert 25 <= late <= 40
    gateway.settle(payment_id, until=("partially_refunded",), hours=1)
    gateway.assert_ledger_matches_providers()


def test_one_failing_inquiry_does_not_stop_reconciliation(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when a bug about one payment keeps an operator from hearing about all others."""
    ids = []
    for provider in ("chapa", "stripe"):
        gateway.sandbox.control({"rules": rules("callback lost", provider)})
        ids.append(gateway.begin(provider, 100))
        gateway.quiet()
    gateway.sandbox.control({"rules": []})

    def broken(self: object, charge: object) -> None:
        raise KeyError("a bug in an adapter")

    with monkeypatch.context() as patched, gateway.app.app_context():
        patched.setattr(PROVIDERS["chapa"], "_inquire", broken)
        report = reconciliation.reconcile()
    assert report.ledger_findings == []
    older, younger = ids
    assert gateway.payment(younger)["status"] == "completed", "it was asked about, too"
    assert gateway.settle(older)["status"] == "completed"
    gateway.assert_ledger_matches_providers()

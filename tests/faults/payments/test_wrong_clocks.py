"""A host whose clock is wrong, or jumps: nothing is failed though it was paid, and nothing is ended for its age."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app import clock, database_clock
from app.services.operator import retention
from tests.faults.payments.expectations import rules
from tests.faults.payments.facts import assert_paid_once, outcome
from tests.support.gateway import Gateway

SetHost = Callable[..., None]

DAY_AHEAD, DAY_BEHIND = timedelta(days=1), timedelta(days=-1)


@pytest.fixture
def set_host(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetHost]:
    """Sets the clock of the application's host; is_restarted: the process has not compared it with the database's yet."""

    def set_clock(by: timedelta, *, is_restarted: bool = False) -> None:
        monkeypatch.setattr(clock, "host_now", lambda: datetime.now(UTC) + by)
        if is_restarted:
            monkeypatch.setattr(clock, "_anchor", None)
        compare(gateway, monkeypatch)

    yield set_clock
    monkeypatch.undo()
    compare(gateway, monkeypatch)


def compare(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_clock, "_next_at", 0.0)
    with gateway.app.app_context():
        database_clock.follow()


@pytest.mark.parametrize("wrong", [DAY_AHEAD, DAY_BEHIND], ids=["ahead", "behind"])
@pytest.mark.parametrize("provider", ["mpesa", "stripe"])
def test_a_wrong_host_judges_no_ages(
    gateway: Gateway, set_host: SetHost, provider: str, wrong: timedelta
) -> None:
    """A payment whose answer and callback are lost, and a refund of it, by an application that was started with a wrong clock.

    The rows have the database's time; only when the host is right again something may be old.
    """
    set_host(wrong, is_restarted=True)
    gateway.sandbox.control({"rules": rules("answer dropped", provider), "autopay_s": 0})
    payment_id = gateway.begin(provider, 100)
    (attempt,) = gateway.attempts(payment_id)
    ((database_time,),) = gateway.rows("SELECT clock_timestamp()")
    moved = timedelta(seconds=gateway.advanced_s)
    assert abs(attempt.created_at - moved - database_time) < timedelta(hours=1)
    gateway.settle(payment_id, hours=1)
    assert_paid_once(gateway, payment_id)
    assert gateway.refund(payment_id).status_code == 200
    gateway.settle(payment_id, until=("refunded",), hours=1)
    assert gateway.payment(payment_id)["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


def test_a_clock_that_jumps_expires_nothing(gateway: Gateway, set_host: SetHost) -> None:
    """Breaks when a day that did not pass makes a payment expire which the customer then pays."""
    gateway.sandbox.control({"autopay_s": 3_000})
    payment_id = gateway.begin("pesapal", 100)
    set_host(DAY_AHEAD)
    gateway.run_due()
    gateway.advance(60)
    gateway.run_due()
    assert outcome(gateway, payment_id).status == "processing"
    gateway.advance(3_000)
    gateway.settle(payment_id, hours=1)
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


def test_nothing_expires_while_the_clocks_differ(gateway: Gateway, set_host: SetHost) -> None:
    """Not even what is old by the database's clock, since either of the two may be the wrong one."""
    gateway.sandbox.control({"autopay_s": "off"})
    payment_id = gateway.begin("pesapal", 100)
    set_host(DAY_BEHIND)
    gateway.settle(payment_id, hours=72)
    assert outcome(gateway, payment_id).status == "processing"
    set_host(timedelta(0))
    gateway.settle(payment_id, hours=72)
    assert outcome(gateway, payment_id).status == "failed"


def test_a_wrong_host_is_not_ready_and_deletes_nothing(gateway: Gateway, set_host: SetHost) -> None:
    def checks() -> str:
        gateway.app.extensions["readiness"]._checks = None  # a second old at most otherwise
        url = gateway.url.removesuffix("/api/v1")
        found: str = gateway.http.get(f"{url}/health/ready", timeout=60).json()["checks"]["clock"]
        return found

    assert checks() == "ok"
    set_host(timedelta(seconds=20))
    assert checks() == "This host's clock is 20 s ahead of the database's."
    with gateway.app.app_context():
        assert retention.sweep() - clock.now() > timedelta(minutes=59)
    set_host(timedelta(seconds=2))
    assert checks() == "ok"

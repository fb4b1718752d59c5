"""The daily check: it resumes lost work and reports ledger findings."""

from __future__ import annotations

from sqlalchemy import text

from app import clock
from app.unit_of_work import transaction
from app.worker.runner import start_recurring
from tests.faults.payments.expectations import rules
from tests.faults.payments.facts import operator, refused
from tests.support.gateway import Gateway

DAY_S = 86_400


def _start(gateway: Gateway) -> None:
    """As in a new installation."""
    _change(gateway, "DELETE FROM jobs WHERE kind = 'reconciliation.daily'")
    _start_again(gateway)


def _start_again(gateway: Gateway) -> None:
    with gateway.app.app_context():
        start_recurring()


def _due(gateway: Gateway) -> int:
    return int(
        gateway.rows("SELECT count(*) FROM jobs WHERE kind = 'reconciliation.daily' AND state = 'due'")[0][0]
    )


def _change(gateway: Gateway, statement: str, **values: object) -> None:
    with gateway.app.app_context():
        transaction(lambda session: session.execute(text(statement), values))


def test_daily_check_is_scheduled_once_across_restarts(gateway: Gateway) -> None:
    _start(gateway)
    _start_again(gateway)
    assert _due(gateway) == 1
    gateway.advance(DAY_S + 1)
    gateway.run_due()
    assert _due(gateway) == 1
    ((run_at,),) = gateway.rows(
        "SELECT run_at FROM jobs WHERE kind = 'reconciliation.daily' AND state = 'due'"
    )
    assert run_at > clock.now(), "due again tomorrow"


def test_daily_check_follows_up_a_payment_without_a_job(gateway: Gateway) -> None:
    """Breaks when only an operator's command finds a payment without a job."""
    _start(gateway)
    gateway.sandbox.control({"rules": rules("answer and callback dropped", "paystack")})
    payment_id = gateway.begin("paystack", 50)
    (attempt,) = gateway.attempts(payment_id)
    _change(gateway, "DELETE FROM jobs WHERE ref = :ref", ref=str(attempt.id))
    assert gateway.settle(payment_id, hours=1)["status"] == "processing"
    gateway.advance(DAY_S)
    assert gateway.settle(payment_id, hours=2)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


def test_daily_check_reports_ledger_findings(gateway: Gateway) -> None:
    payment_id = gateway.begin("paystack", 50)
    assert gateway.settle(payment_id)["status"] == "completed"
    _start(gateway)
    answer = "SELECT count(*) FROM outbox WHERE type = 'ledger.disagrees'"
    before = gateway.rows(answer)[0][0]
    _change(gateway, "UPDATE payments SET refund_reserved = 1 WHERE id = :id", id=payment_id)
    gateway.advance(DAY_S + 1)
    gateway.run_due()
    assert gateway.rows(answer)[0][0] == before + 1
    data = gateway.rows("SELECT data FROM outbox WHERE type = 'ledger.disagrees' ORDER BY id DESC LIMIT 1")[
        0
    ][0]
    assert payment_id in data["findings"][0]
    _change(gateway, "UPDATE payments SET refund_reserved = 0 WHERE id = :id", id=payment_id)
    assert "clean" in operator(gateway, "ledger", "check")


def test_ledger_check_compares_the_currency_that_was_collected(gateway: Gateway) -> None:
    """Breaks when only the amount of collected money is compared with its entry."""
    payment_id = gateway.begin("paystack", 50)
    assert gateway.settle(payment_id)["status"] == "completed"
    change = "UPDATE payment_attempts SET collected_currency = :currency WHERE payment_id = :id"
    _change(gateway, change, currency="USD", id=payment_id)
    assert "5000 USD" in refused(gateway, "ledger", "check")
    _change(gateway, change, currency="NGN", id=payment_id)
    assert "clean" in operator(gateway, "ledger", "check")

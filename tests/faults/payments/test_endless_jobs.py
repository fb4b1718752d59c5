"""Jobs that follow up money are never dead-lettered: however often they fail, they are retried, and an operator is
alerted.

Seen failing when such a job is dead-lettered after its last retry, when no alert is raised, and when a failing job is not
rescheduled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
import redis

from app import clock
from app.models.job import JobKind
from app.services.payments import follow_up as payment_follow_up
from app.worker.kinds import HANDLERS
from tests.support.gateway import Gateway

OFTEN = 12
"""More than any kind's retries."""


def _job(gateway: Gateway, ref: object) -> Any:
    (found,) = gateway.rows(
        "SELECT * FROM jobs WHERE ref = :ref AND kind IN ('payment.follow_up', 'refund.follow_up')",
        ref=str(ref),
    )
    return found


def _fail_often(gateway: Gateway, ref: object, error: str) -> None:
    """Run the job at each of its times: it fails, waits as its kind says, and is due again."""
    waits = HANDLERS[_job(gateway, ref).kind].retries
    for number in range(OFTEN):
        due = (_job(gateway, ref).run_at - clock.now()).total_seconds()
        gateway.advance(max(0.0, due) + 0.1)
        gateway.run_due()
        job = _job(gateway, ref)
        assert (job.state, job.last_error, job.leased_until) == ("due", error, None), number
        wait = (job.run_at - clock.now()).total_seconds()
        assert wait <= waits[min(job.attempts, len(waits)) - 1]
    assert _job(gateway, ref).attempts > len(waits)


def _unknown_payment(gateway: Gateway) -> tuple[str, Any]:
    """Paid, but the answer and the callback were lost."""
    lost = {"fault": "callback_lost", "provider": "chapa", "operation": "callback"}
    gateway.sandbox.control({"rules": [{"fault": "drop", "provider": "chapa", "times": 1}, lost]})
    payment_id = gateway.begin("chapa")
    gateway.quiet()
    (attempt,) = gateway.attempts(payment_id)
    assert attempt.state == "unknown"
    gateway.sandbox.control({"rules": []})
    return payment_id, attempt


def _unknown_refund(gateway: Gateway) -> tuple[str, Any]:
    payment_id = gateway.begin("chapa")
    assert gateway.settle(payment_id)["status"] == "completed"
    lost = {"fault": "callback_lost", "provider": "chapa", "operation": "callback"}
    dropped = {"fault": "drop", "provider": "chapa", "operation": "refund", "times": 1}
    gateway.sandbox.control({"rules": [dropped, lost]})
    assert gateway.refund(payment_id).status_code == 200
    gateway.quiet()
    (refund,) = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id", id=payment_id)
    assert refund.state == "unknown"
    return payment_id, refund


@contextmanager
def _trigger(gateway: Gateway, table: str, when: str) -> Iterator[None]:
    """The database refuses every change of `table` where `when`."""
    url = gateway.app.config["OWNER_DATABASE_URI"].replace("postgresql+psycopg2", "postgresql")
    with closing(psycopg2.connect(url)) as owner, owner.cursor() as cursor:
        owner.autocommit = True
        cursor.execute(
            "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER refuses BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuses()"
        )
        try:
            yield
        finally:
            cursor.execute(f"DROP TRIGGER refuses ON {table}")
            cursor.execute("DROP FUNCTION refuses()")


def test_payment_of_an_unusable_account_is_followed_up_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting was lost. Breaks when the payment's job ends meanwhile: the payment would never be followed up."""
    payment_id, attempt = _unknown_payment(gateway)
    with monkeypatch.context() as patch:
        patch.setitem(gateway.app.config, "CHAPA_SECRET_KEY", "")
        _fail_often(gateway, attempt.id, "ProviderNotConfigured")
        assert gateway.payment(payment_id)["review"] == "inquiry_failed"
    found = gateway.settle(payment_id, hours=2)
    assert (found["status"], found["review"]) == ("completed", None)
    assert gateway.charged(payment_id) == [100]
    gateway.assert_ledger_matches_providers()


def test_payment_update_that_fails_is_retried(gateway: Gateway) -> None:
    """The database refuses, again and again. Breaks when that ends the job."""
    payment_id, attempt = _unknown_payment(gateway)
    with _trigger(gateway, "payment_attempts", f"OLD.id = '{attempt.id}'"):
        _fail_often(gateway, attempt.id, "RaiseException")
        assert gateway.payment(payment_id)["review"] == "inquiry_failed"
    assert gateway.settle(payment_id, hours=2)["status"] == "completed"
    assert gateway.charged(payment_id) == [100]
    gateway.assert_ledger_matches_providers()


def test_refund_update_that_fails_is_retried(gateway: Gateway) -> None:
    payment_id, refund = _unknown_refund(gateway)
    with _trigger(gateway, "refunds", f"OLD.id = '{refund.id}'"):
        _fail_often(gateway, refund.id, "RaiseException")
        assert gateway.payment(payment_id)["review"] == "refund_unknown"
    gateway.sandbox.control({"rules": []})
    found = gateway.settle(payment_id, until=("refunded",), hours=26)
    assert (found["status"], found["review"]) == ("refunded", None)
    gateway.assert_ledger_matches_providers()


def test_unexpected_exception_is_retried(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when an unexpected exception ends the job, or leaves it leased to a dead worker."""
    payment_id, attempt = _unknown_payment(gateway)

    def stumbles(*_: object, **__: object) -> None:
        raise redis.exceptions.ConnectionError("Redis is away")

    with monkeypatch.context() as patch:
        patch.setattr(payment_follow_up, "inquire", stumbles)
        _fail_often(gateway, attempt.id, "ConnectionError")
    assert gateway.settle(payment_id, hours=2)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize(
    "kind", [JobKind.PAYMENT_FOLLOW_UP, JobKind.REFUND_FOLLOW_UP, JobKind.PROVIDER_EVENT_SWEEP]
)
def test_list_of_endless_jobs(kind: str) -> None:
    assert HANDLERS[kind].retries_forever


def test_success_resets_the_failure_count(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when an old series of failures makes the next retry wait for an hour, or alerts an operator at once."""
    gateway.sandbox.control({"autopay_s": "off"})
    payment_id = gateway.begin("chapa")
    (attempt,) = gateway.attempts(payment_id)

    def run_once(fail: bool) -> Any:
        gateway.advance((_job(gateway, attempt.id).run_at - clock.now()).total_seconds() + 0.1)
        with monkeypatch.context() as patch:
            if fail:
                patch.setattr(payment_follow_up, "inquire", _raise)
            gateway.run_due()
        return _job(gateway, attempt.id)

    for number in range(1, 6):
        assert run_once(fail=True).attempts == number
    assert run_once(fail=False).attempts == 0
    assert run_once(fail=True).attempts == 1
    assert gateway.payment(payment_id)["review"] is None


def _raise(*_: object, **__: object) -> None:
    raise RuntimeError("a fault of ours")

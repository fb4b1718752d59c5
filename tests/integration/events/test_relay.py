"""The relay: one active, everything it owes is done again after any of its parts was away. Pushing: tests/…/test_push_loop.py."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.events import chain
from app.events import relay as module
from app.events.relay import Relay
from app.services.reactions import REACTIONS
from tests.support import ledger_sql
from tests.support.database import one, run
from tests.support.event_log import NoPushes
from tests.support.waiting import wait_until


class Broker:
    """Accepts jobs in place of Celery, unless it `is_unavailable`."""

    def __init__(self) -> None:
        self.handed: list[uuid.UUID] = []
        self.is_unavailable = False

    def hand_over(self, job_ids: Sequence[uuid.UUID]) -> None:
        if self.is_unavailable:
            raise ConnectionError
        self.handed += job_ids


@pytest.fixture
def broker() -> Broker:
    return Broker()


@contextmanager
def _relay(app: Flask, broker: Broker) -> Iterator[Relay]:
    made = Relay(app.config, pushes=NoPushes(), hand_over=broker.hand_over, reactions=REACTIONS)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def relay(log_app: Flask, broker: Broker) -> Iterator[Relay]:
    with _relay(log_app, broker) as made:
        yield made


def _status(reader: Any, payment_id: str) -> str:
    status: str = one(
        reader, "SELECT status FROM wallet_payments WHERE id = %s::uuid", payment_id.removeprefix("pmt_")
    )
    return status


def test_publishing_a_payment_completes_it(relay: Relay, reader: Any, pay: Callable[[], str]) -> None:
    payment_id = pay()
    assert _status(reader, payment_id) == "pending"
    relay.step()
    assert _status(reader, payment_id) == "completed"
    log = run(
        reader, "SELECT type, data->>'status' FROM events WHERE object_id = %s ORDER BY seq", payment_id
    )
    assert log == [("wallet_payment.pending", "pending"), ("wallet_payment.completed", "completed")]


def test_one_relay_is_active_and_another_stands_by(
    log_app: Flask, relay: Relay, broker: Broker, reader: Any, pay: Callable[[], str]
) -> None:
    """Breaks without the advisory lock: two publishers would take the same number."""
    relay.step()
    with _relay(log_app, broker) as standby:
        payment_id = pay()
        assert not standby.step()
        assert _status(reader, payment_id) == "pending"
        relay.close()
        wait_until(standby.step, "the standby to become active")
    assert _status(reader, payment_id) == "completed"


def test_waiting_credits_are_folded(relay: Relay, reader: Any) -> None:
    account, _ = ledger_sql.open_account(reader)
    ledger_sql.fund(reader, account, 7)
    relay.step()
    assert one(reader, "SELECT balance FROM accounts WHERE id = %s", account) == 7


def _enqueue(reader: Any, *, leased_s: float | None = None) -> uuid.UUID:
    job_id = uuid.uuid4()
    lease = clock.now() + timedelta(seconds=leased_s) if leased_s else None
    run(
        reader,
        "INSERT INTO jobs (id, kind, ref, run_at, attempts, fence, leased_until, state, created_at) "
        "VALUES (%s::uuid, 'kyc.verify', %s, %s, 0, 0, %s, 'due', now())",
        str(job_id),
        str(job_id),
        clock.now() - timedelta(seconds=1),
        lease,
    )
    return job_id


def test_due_job_is_dispatched_and_redispatched_when_lost(
    relay: Relay, broker: Broker, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when a dispatched job counts as done: a worker that died would strand the job."""
    monkeypatch.setattr(module, "HAND_OVER_EVERY_S", 0.0)
    monkeypatch.setattr(module, "BROKER_RETRY_S", 0.0)
    job_id = _enqueue(reader)
    _enqueue(reader, leased_s=60)
    broker.is_unavailable = True
    relay.step()
    broker.is_unavailable = False
    relay.step()
    relay.step()
    assert broker.handed == [job_id]
    monkeypatch.setattr(module, "HAND_OVER_AGAIN_S", 0.0)
    relay.step()
    assert broker.handed == [job_id, job_id]


def test_the_head_is_anchored(relay: Relay, log_app: Flask, reader: Any, pay: Callable[[], str]) -> None:
    pay()
    relay.step()
    ((seq, digest),) = run(reader, "SELECT seq, hmac FROM events ORDER BY seq DESC LIMIT 1")
    assert list(chain.read_anchors(module.Path(log_app.config["VAR_DIR"]) / "audit")) == [
        chain.Anchor(seq, bytes(digest))
    ]

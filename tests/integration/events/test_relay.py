"""The relay: one active, everything it owes is done again after any of its parts was away."""

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
from app.events.push_messages import PushMessage
from app.events.relay import Relay
from app.services.reactions import REACTIONS
from tests.support import factories, ledger_sql
from tests.support.database import one, run
from tests.support.waiting import wait_until


class Transport:
    """Accepts pushes and jobs in place of Redis and Celery; `is_unavailable` makes both fail."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, int]] = []
        self.handed: list[uuid.UUID] = []
        self.is_unavailable = False

    def push(self, messages: Sequence[PushMessage]) -> None:
        self._check_available()
        self.pushed += [(m.payload["event_type"], m.payload["sequence"]) for m in messages]

    def hand_over(self, job_id: uuid.UUID) -> None:
        self._check_available()
        self.handed.append(job_id)

    def _check_available(self) -> None:
        if self.is_unavailable:
            raise ConnectionError


@pytest.fixture
def transport() -> Transport:
    return Transport()


@contextmanager
def _relay(app: Flask, transport: Transport) -> Iterator[Relay]:
    made = Relay(app.config, pusher=transport, hand_over=transport.hand_over, reactions=REACTIONS)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def relay(log_app: Flask, transport: Transport) -> Iterator[Relay]:
    with _relay(log_app, transport) as made:
        yield made


@pytest.fixture
def pay(log_app: Flask) -> Callable[[], str]:
    """Pays one dollar; the payment's id."""
    sender, recipient = factories.make_user(log_app), factories.make_user(log_app)
    source = factories.make_wallet(log_app, sender, balance="1000")
    destination = factories.make_wallet(log_app, recipient)
    client = log_app.test_client()

    def run_one() -> str:
        body = {"amount": 1, "source_wallet_id": source, "destination": destination}
        answer = client.post("/api/v1/payments", json=body, headers=sender.headers)
        assert answer.status_code == 201
        payment_id: str = answer.json["payment_id"]
        return payment_id

    return run_one


def _status(reader: Any, payment_id: str) -> str:
    status: str = one(
        reader, "SELECT status FROM wallet_payments WHERE id = %s::uuid", payment_id.removeprefix("pmt_")
    )
    return status


def test_publishing_a_payment_completes_it(
    relay: Relay, transport: Transport, reader: Any, pay: Callable[[], str]
) -> None:
    payment_id = pay()
    assert _status(reader, payment_id) == "pending"
    relay.step()
    assert _status(reader, payment_id) == "completed"
    log = run(
        reader, "SELECT type, data->>'status' FROM events WHERE object_id = %s ORDER BY seq", payment_id
    )
    assert log == [("wallet_payment.pending", "pending"), ("wallet_payment.completed", "completed")]
    wait_until(lambda: (relay.step(), len(transport.pushed) == 2)[1], "both pushes")
    assert [name for name, _ in transport.pushed] == ["wallet_payment.pending", "wallet_payment.completed"]


def test_one_relay_is_active_and_another_stands_by(
    log_app: Flask, relay: Relay, transport: Transport, reader: Any, pay: Callable[[], str]
) -> None:
    """Breaks without the advisory lock: two publishers would take the same number."""
    relay.step()
    with _relay(log_app, transport) as standby:
        payment_id = pay()
        assert not standby.step()
        assert _status(reader, payment_id) == "pending"
        relay.close()
        wait_until(standby.step, "the standby to become active")
    assert _status(reader, payment_id) == "completed"


def test_failed_pushes_are_retried_in_order(
    relay: Relay, transport: Transport, pay: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when events published while Redis was away are only in the log."""
    monkeypatch.setattr(module, "PUSH_RETRY_S", 0.0)
    relay.step()
    transport.is_unavailable = True
    for _ in range(3):
        pay()
        relay.step()
    assert transport.pushed == []
    transport.is_unavailable = False
    pay()
    for _ in range(3):
        relay.step()
    numbers = [sequence for _, sequence in transport.pushed]
    assert len(numbers) == 8
    assert numbers == sorted(numbers)


def test_what_was_not_pushed_before_a_crash_is_pushed_by_the_next_relay(
    log_app: Flask,
    relay: Relay,
    transport: Transport,
    pay: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Breaks when a new relay starts at the end of the log instead of at `pushed_through`."""
    monkeypatch.setattr(module, "SAVE_EVERY_S", 0.0)
    pay()
    relay.step()
    relay.step()
    transport.is_unavailable = True
    pay()
    relay.step()
    relay.close()
    transport.is_unavailable, transport.pushed = False, []
    with _relay(log_app, transport) as following:
        following.step()
        following.step()
    assert [name for name, _ in transport.pushed] == ["wallet_payment.pending", "wallet_payment.completed"]


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
    relay: Relay, transport: Transport, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when a dispatched job counts as done: a worker that died would strand the job."""
    monkeypatch.setattr(module, "HAND_OVER_EVERY_S", 0.0)
    job_id = _enqueue(reader)
    _enqueue(reader, leased_s=60)
    transport.is_unavailable = True
    relay.step()
    transport.is_unavailable = False
    relay.step()
    relay.step()
    assert transport.handed == [job_id]
    monkeypatch.setattr(module, "HAND_OVER_AGAIN_S", 0.0)
    relay.step()
    assert transport.handed == [job_id, job_id]


def test_the_head_is_anchored(relay: Relay, log_app: Flask, reader: Any, pay: Callable[[], str]) -> None:
    pay()
    relay.step()
    ((seq, digest),) = run(reader, "SELECT seq, hmac FROM events ORDER BY seq DESC LIMIT 1")
    assert list(chain.read_anchors(module.Path(log_app.config["VAR_DIR"]) / "audit")) == [
        chain.Anchor(seq, bytes(digest))
    ]

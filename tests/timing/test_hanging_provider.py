"""One provider answers after many seconds: payments through the others do not notice.

Real processes: web, relay, worker and simulators. More requests hang in the web process than its pool has database
connections, so one that was held during a call to a provider would be missing everywhere.

Seen failing without bulkheads in the web process, without them in the worker, when callbacks are confirmed outside them,
and when a connection is held during the call.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from launcher.embedded import EmbeddedRedis
from tests.support.full_stack import FullStack, TimedAnswer, running_full_stack
from tests.support.waiting import wait_until

WEB_THREADS = 64
SLOTS = WEB_THREADS // 4
"""Calls to one provider at once in the web process: more than the twelve connections of a pool of two."""

WORKER_SLOTS = 4

HANG_S = 10
BURST = 24
CONFIRMED = 20
"""Payments whose confirmation hangs: more than the worker has threads (Procfile)."""

PHASE_S = 3.0
BURST_S = 2
"""Until the burst has all slots."""

PER_SECOND = {"paystack": 5.0, "cpay": 4.0, "mpesa": 1.0}
"""The load that is measured, in every phase; in a hanging one M-Pesa's meets full slots."""

GROWTH, STOLEN_S = 2.0, 2.0
"""How the others' answers may differ: the median by this factor and what a busy machine takes from an answer, the 95th
percentile by twice that. Who waits for M-Pesa waits for five seconds at least."""

OVERDUE_S = 6
"""No transaction of the application gets as old as this; a call that hangs does."""

HANGS = [
    {"fault": "delay", "provider": "mpesa", "operation": operation, "seconds": HANG_S}
    for operation in ("stkquery", "stkpush")
]

Sent = tuple[str, Future[TimedAnswer]]
"""A provider, and the answer to come."""

Shift = dict[str, list[TimedAnswer]]
"""The answers of one phase, by provider."""


@pytest.fixture
def full_stack(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[FullStack]:
    with running_full_stack(
        redis_server, tmp_path, WEB_THREADS=str(WEB_THREADS), DB_POOL_SIZE="2", PROVIDER_TIMEOUT_S="20"
    ) as running:
        yield running


def _usual_phase(full_stack: FullStack, pool: ThreadPoolExecutor) -> Shift:
    """The load alone."""
    shift = _answers(_send_load(full_stack, pool))
    _wait_until_all_are_completed(full_stack)
    return shift


def _hanging_phase(full_stack: FullStack, pool: ThreadPoolExecutor) -> Shift:
    """Confirmations hang in the worker, then a burst hangs in the web process; then comes the load."""
    full_stack.control({"rules": HANGS[:1]})
    confirmed = [pool.submit(full_stack.initialize, "mpesa") for _ in range(CONFIRMED)]
    for request in confirmed:
        assert request.result(timeout=60).http == 201
    asking = "SELECT FROM jobs WHERE kind = 'provider_event.process' AND leased_until > clock_timestamp()"
    wait_until(
        lambda: len(full_stack.query(asking)) >= WORKER_SLOTS,
        "confirmations to hang in the worker",
        every_s=0.1,
    )
    full_stack.control({"rules": HANGS})
    burst = [("mpesa", pool.submit(full_stack.initialize, "mpesa")) for _ in range(BURST)]
    time.sleep(BURST_S)
    load = _send_load(full_stack, pool)
    full_stack.control({"rules": []})
    shift = _answers([*burst, *load])
    _wait_until_all_are_completed(full_stack)
    return shift


def _send_load(full_stack: FullStack, pool: ThreadPoolExecutor) -> list[Sent]:
    """`PER_SECOND` for `PHASE_S` seconds."""
    began = time.monotonic()
    moments = sorted(
        (number / rate, name) for name, rate in PER_SECOND.items() for number in range(int(PHASE_S * rate))
    )
    sent: list[Sent] = []
    for moment, name in moments:
        time.sleep(max(0.0, began + moment - time.monotonic()))
        sent.append((name, pool.submit(full_stack.initialize, name)))
    return sent


def _answers(sent: list[Sent]) -> Shift:
    shift: Shift = {name: [] for name in PER_SECOND}
    for name, request in sent:
        shift[name].append(request.result(timeout=60))
    return shift


def _wait_until_all_are_completed(full_stack: FullStack) -> None:
    wait_until(
        lambda: not full_stack.query("SELECT FROM payments WHERE status <> 'completed' LIMIT 1"),
        "every payment to be completed",
        timeout_s=150,
        every_s=0.2,
    )


@contextmanager
def _watched(full_stack: FullStack) -> Iterator[list[tuple[str, float]]]:
    """Transactions that grow old while the block runs: statement and age in seconds, sampled ten times a second."""
    found: list[tuple[str, float]] = []
    is_over = threading.Event()

    def watch() -> None:
        with closing(psycopg2.connect(full_stack.superuser_url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not is_over.wait(0.1):
                cursor.execute(
                    "SELECT query, extract(epoch FROM clock_timestamp() - xact_start)::float8 FROM pg_stat_activity "
                    "WHERE application_name = 'malipo' AND datname = current_database() "
                    "AND xact_start < clock_timestamp() - make_interval(secs => %s)",
                    (OVERDUE_S,),
                )
                found.extend(cursor.fetchall())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _completed_after(full_stack: FullStack, shift: Shift, provider: str) -> list[float]:
    """Seconds from initialize to completed."""
    rows = full_stack.query(
        "SELECT extract(epoch FROM completed_at - created_at)::float8 FROM payments WHERE id = ANY (:ids ::uuid[])",
        ids=[answer.id for answer in shift[provider]],
    )
    return [row[0] for row in rows]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_hanging_provider_does_not_slow_other_providers(full_stack: FullStack) -> None:
    with ThreadPoolExecutor(BURST + 60) as pool:
        _usual_phase(full_stack, pool)  # connections are made, caches are warm
        usual = _usual_phase(full_stack, pool)
        with _watched(full_stack) as overdue:
            hanging = _hanging_phase(full_stack, pool)
        assert overdue == [], "a transaction was open during a provider's call"

    both = (usual, hanging)
    for shift in both:
        assert {answer.http for answers in shift.values() for answer in answers} == {201}
    _assert_hung(hanging["mpesa"])
    figures = {
        f"{name}: initialize": [[answer.seconds for answer in shift[name]] for shift in both]
        for name in ("paystack", "cpay")
    }
    figures["paystack: until completed"] = [_completed_after(full_stack, shift, "paystack") for shift in both]
    for what, (before, after) in figures.items():
        answer = (
            what,
            [(round(statistics.median(times), 3), round(_p95(times), 3)) for times in (before, after)],
        )
        assert statistics.median(after) < GROWTH * statistics.median(before) + STOLEN_S, answer
        assert _p95(after) < GROWTH * _p95(before) + 2 * STOLEN_S, answer


def _assert_hung(answers: list[TimedAnswer]) -> None:
    """The requests with a slot waited for M-Pesa; all others were answered `processing` at once."""
    waited = [answer for answer in answers if answer.seconds >= HANG_S]
    at_once = [answer for answer in answers if answer.seconds < HANG_S]
    assert SLOTS <= len(waited) <= 2 * SLOTS, (
        "those of the burst first, then those that arrived as slots became free"
    )
    assert len(at_once) >= BURST - SLOTS
    assert Counter(answer.status for answer in at_once) == {"processing": len(at_once)}
    assert max(answer.seconds for answer in at_once) < HANG_S / 2

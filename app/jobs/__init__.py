"""The one work queue's other end: which kinds of work there are, how often each is tried, and how one is run.

Celery only executes: the row decides. A kind's function gets the job's payload and must be safe to run twice, since a
worker may die after its effect and before its row says done.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session

from app import clock
from app.events import queue
from app.jobs.kyc import verify_kyc_request
from app.jobs.payments import (
    bury_provider_event,
    drive_payment,
    drive_refund,
    process_provider_event,
    reconcile_daily,
    report_payment,
    report_refund,
    sweep_provider_events,
)
from app.services import payment_driver, provider_event_service, reconciliation_service, refund_driver
from app.unit_of_work import transaction

log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class JobKind:
    """`run(payload)` does the work and may return when it is to go on; an exception is a failed attempt.

    `retries`: the waits after each failed attempt, in seconds. Then it is a dead letter, or, where `is_endless`, tried on
    at the last wait; either way `when_spent` is told why.
    """

    run: Callable[[dict[str, Any]], datetime | None]
    retries: tuple[int, ...]
    is_endless: bool = False
    when_spent: Callable[[dict[str, Any], str], None] | None = None


KINDS: Final = {
    "kyc.verify": JobKind(verify_kyc_request, retries=(5, 60, 300, 900, 3600)),
    # Money hangs on these two: they are never given up.
    payment_driver.KIND: JobKind(
        drive_payment, retries=(5, 15, 60, 300, 900, 3600), is_endless=True, when_spent=report_payment
    ),
    refund_driver.KIND: JobKind(
        drive_refund, retries=(5, 15, 60, 300, 900, 3600), is_endless=True, when_spent=report_refund
    ),
    reconciliation_service.DAILY: JobKind(reconcile_daily, retries=(3600,), is_endless=True),
    provider_event_service.SWEEP: JobKind(sweep_provider_events, retries=(3600,), is_endless=True),
    provider_event_service.KIND: JobKind(
        process_provider_event, retries=(2, 5, 15, 60, 300, 900, 3600, 21_600), when_spent=bury_provider_event
    ),
}


RECURRING: Final = MappingProxyType({reconciliation_service.DAILY: reconciliation_service.EVERY})
"""Kinds that run for ever → the wait before their first run."""


def start_recurring() -> None:
    """Each recurring kind has its one row. Again changes nothing."""

    def work(session: Session) -> None:
        now = clock.now()
        for kind, every in RECURRING.items():
            queue.enqueue(session, kind, ref="recurring", run_at=now + every, now=now)

    transaction(work)


def run_job(job_id: uuid.UUID) -> None:
    """Claim the row, do the work, mark it. Nothing happens when it is done, dead or in another worker's hands."""
    job = transaction(lambda session: queue.claim(session, job_id, now=clock.now()))
    if job is None:
        return
    with structlog.contextvars.bound_contextvars(job=job.kind, ref=job.ref):
        _run(job)


def _run(job: queue.ClaimedJob) -> None:
    kind = KINDS[job.kind]
    try:
        run_at = kind.run(job.payload)
    except Exception as error:
        log.exception("job.failed", attempt=job.attempts)
        _give_back(job, kind, type(error).__name__)
        return
    if run_at is not None:
        transaction(lambda session: queue.again(session, job, run_at=run_at))
        return
    transaction(lambda session: queue.finish(session, job, now=clock.now()))
    log.info("job.done", attempt=job.attempts)


def _give_back(job: queue.ClaimedJob, kind: JobKind, error: str) -> None:
    now = clock.now()
    is_spent = job.attempts > len(kind.retries)
    if is_spent and not kind.is_endless:
        transaction(lambda session: queue.bury(session, job, now=now, error=error))
    else:
        wait = kind.retries[min(job.attempts, len(kind.retries)) - 1]
        run_at = now + timedelta(seconds=wait)
        transaction(lambda session: queue.retry(session, job, run_at=run_at, error=error))
    if is_spent and kind.when_spent is not None:
        kind.when_spent(job.payload, error)

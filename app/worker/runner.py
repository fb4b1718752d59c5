"""The one work queue's other end: which kinds of work there are, how often each is tried, and how one is run.

Celery only executes: the row decides. A kind's function gets the job's payload and must be safe to run twice, since a
worker may die after its effect and before its row says done.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from app import clock, queue
from app.unit_of_work import transaction
from app.worker.kinds import KINDS, RECURRING, JobKind

log = structlog.get_logger("jobs")


def start_recurring() -> None:
    """Each recurring kind has its one row. Again changes nothing."""

    def work(session: Session) -> None:
        now = clock.now()
        for kind, every in RECURRING.items():
            queue.enqueue(session, kind, ref="recurring", run_at=now + every, now=now)

    transaction(work)


def run_job(job_id: uuid.UUID) -> None:
    """Claim the row, do the work, mark it. Nothing happens when it is done, dead or in another worker's hands."""
    job = transaction(lambda session: queue.lease(session, job_id, now=clock.now()))
    if job is None:
        return
    with structlog.contextvars.bound_contextvars(job=job.kind, ref=job.ref):
        _run(job)


def _run(job: queue.LeasedJob) -> None:
    kind = KINDS[job.kind]
    try:
        run_at = kind.run(job.payload)
    except Exception as error:
        log.exception("job.failed", attempt=job.attempts)
        _give_back(job, kind, type(error).__name__)
        return
    if run_at is not None:
        transaction(lambda session: queue.reschedule(session, job, run_at=run_at))
        return
    transaction(lambda session: queue.finish(session, job, now=clock.now()))
    log.info("job.done", attempt=job.attempts)


def _give_back(job: queue.LeasedJob, kind: JobKind, error: str) -> None:
    now = clock.now()
    is_exhausted = job.attempts > len(kind.retries)
    if is_exhausted and not kind.never_gives_up:
        transaction(lambda session: queue.dead_letter(session, job, now=now, error=error))
    else:
        wait = kind.retries[min(job.attempts, len(kind.retries)) - 1]
        run_at = now + timedelta(seconds=wait)
        transaction(lambda session: queue.retry(session, job, run_at=run_at, error=error))
    if is_exhausted and kind.on_exhausted is not None:
        kind.on_exhausted(job.payload, error)

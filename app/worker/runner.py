"""Runs one job of the work queue. Celery only executes: the row decides."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from app import clock, database_clock, queue
from app.providers.errors import ProviderError
from app.services.mail.smtp import MailNotSent
from app.unit_of_work import transaction
from app.worker.kinds import HANDLERS, RECURRING, Handler

log = structlog.get_logger("jobs")


def start_recurring() -> None:
    """Insert the one row of each recurring kind. Safe to call again."""
    database_clock.follow()

    def work(session: Session) -> None:
        now = clock.now()
        for kind, every in RECURRING.items():
            queue.enqueue(session, kind, ref="recurring", run_at=now + every, now=now)

    transaction(work)


def run_job(job_id: uuid.UUID) -> None:
    """Lease the row, do the work, mark it. Nothing happens when it is gone, dead or leased by another worker."""
    database_clock.follow()
    job = queue.lease(job_id, now=clock.now())
    if job is None:
        return
    with structlog.contextvars.bound_contextvars(job=job.kind, ref=job.ref):
        _run(job)


def _run(job: queue.LeasedJob) -> None:
    handler = HANDLERS[job.kind]
    try:
        run_at = handler.run(job)
    except (ProviderError, MailNotSent) as error:
        # What another server answered or did not answer: expected, and our stack would explain nothing.
        log.warning("job.failed", attempt=job.attempts, error=type(error).__name__, code=error.code)
        _retry(job, handler, type(error).__name__)
        return
    except Exception as error:
        log.exception("job.failed", attempt=job.attempts)
        _retry(job, handler, type(error).__name__)
        return
    if isinstance(run_at, datetime):
        transaction(lambda session: queue.reschedule(session, job, run_at=run_at))
        return
    if run_at is None:
        transaction(lambda session: queue.finish(session, job))
    log.info("job.done", attempt=job.attempts)


def _retry(job: queue.LeasedJob, handler: Handler, error: str) -> None:
    now = clock.now()
    is_exhausted = job.attempts > len(handler.retries)
    if is_exhausted and not handler.retries_forever:
        transaction(lambda session: queue.dead_letter(session, job, now=now, error=error))
    else:
        wait = handler.retries[min(job.attempts, len(handler.retries)) - 1]
        run_at = now + timedelta(seconds=wait)
        transaction(lambda session: queue.retry(session, job, run_at=run_at, error=error))
    if is_exhausted and handler.on_exhausted is not None:
        handler.on_exhausted(job.ref, error)

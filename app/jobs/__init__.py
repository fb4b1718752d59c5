"""The one work queue's other end: which kinds of work there are, how often each is tried, and how one is run.

Celery only executes: the row decides. A kind's function gets the job's payload and must be safe to run twice, since a
worker may die after its effect and before its row says done.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from app import clock
from app.events import queue
from app.jobs.kyc import verify_kyc_request
from app.unit_of_work import transaction

log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class JobKind:
    """`run(payload)` does the work; `retries` are the waits after each failed attempt, in seconds, then dead letter."""

    run: Callable[[dict[str, Any]], None]
    retries: tuple[int, ...]


KINDS: Final = {
    "kyc.verify": JobKind(verify_kyc_request, retries=(5, 60, 300, 900, 3600)),
}


def run_job(job_id: uuid.UUID) -> None:
    """Claim the row, do the work, mark it. Nothing happens when it is done, dead or in another worker's hands."""
    job = transaction(lambda session: queue.claim(session, job_id, now=clock.now()))
    if job is None:
        return
    kind = KINDS[job.kind]
    try:
        kind.run(job.payload)
    except Exception as error:
        log.exception("job.failed", kind=job.kind, ref=job.ref, attempt=job.attempts)
        _give_back(job, kind, type(error).__name__)
    else:
        transaction(lambda session: queue.finish(session, job, now=clock.now()))
        log.info("job.done", kind=job.kind, ref=job.ref, attempt=job.attempts)


def _give_back(job: queue.ClaimedJob, kind: JobKind, error: str) -> None:
    now = clock.now()
    if job.attempts > len(kind.retries):
        transaction(lambda session: queue.bury(session, job, now=now, error=error))
        return
    run_at = now + timedelta(seconds=kind.retries[job.attempts - 1])
    transaction(lambda session: queue.retry(session, job, run_at=run_at, error=error))

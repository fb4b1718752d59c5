"""Rows of the work queue: inserted by the code that causes the work, leased by a worker, one at a time each.

The row is the queue. A lease carries a fence: a worker whose lease has ended finds a higher fence and stops.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import ids
from app.models.job import Job, JobKind, JobState
from app.unit_of_work import call

LEASE: Final = timedelta(seconds=60)
"""How long a claimed job is one worker's. Longer than any job may run: every call has a deadline (providers/deadline.py)."""


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """A job this worker holds until its lease ends; `fence` proves it still does. `attempts` counts this one.

    callback: what processing a callback needs (worker/sql/job_lease.sql), for a job of that kind.
    """

    id: uuid.UUID
    kind: JobKind
    ref: str
    attempts: int
    fence: int
    callback: Mapping[str, Any] | None = None


class Ended(Enum):
    """What a job's work returns when the job was ended, or put off, in the statement of its last effects."""

    ENDED = "ended"


def enqueue(
    session: Session,
    kind: JobKind,
    *,
    ref: str,
    run_at: datetime,
    now: datetime,
) -> None:
    """One job for each (kind, ref): asking again changes nothing."""
    session.execute(
        insert(Job)
        .values(
            id=ids.uuid7(),
            kind=kind,
            ref=ref,
            run_at=run_at,
            attempts=0,
            fence=0,
            state=JobState.DUE,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )


def run_sooner(session: Session, kind: JobKind, *, ref: str, run_at: datetime) -> None:
    """Have a waiting job run no later than `run_at`. A job that is dead or leased is not changed."""
    session.execute(
        text(
            "UPDATE jobs SET run_at = least(run_at, :run_at) WHERE kind = :kind AND ref = :ref AND state = 'due' "
            "AND leased_until IS NULL"
        ),
        {"kind": kind, "ref": ref, "run_at": run_at},
    )


def requeue(session: Session, kind: JobKind, *, ref: str, run_at: datetime, now: datetime) -> None:
    """As `enqueue`, and a dead job of that (kind, ref) is due again, with all its attempts."""
    enqueue(session, kind, ref=ref, run_at=run_at, now=now)
    session.execute(
        text(
            "UPDATE jobs SET state = 'due', attempts = 0, run_at = :run_at, finished_at = NULL "
            "WHERE kind = :kind AND ref = :ref AND state <> 'due'"
        ),
        {"kind": kind, "ref": ref, "run_at": run_at},
    )


def lease(job_id: uuid.UUID, *, now: datetime) -> LeasedJob | None:
    """Take the job for `LEASE`. None: gone, dead, not due yet, or leased by another worker."""
    kind, ref, attempts, fence, callback = call("job_lease(%s, %s, %s::uuid)", now, now + LEASE, str(job_id))
    return None if kind is None else LeasedJob(job_id, JobKind(kind), ref, attempts, fence, callback)


def finish(session: Session, job: LeasedJob) -> bool:
    """Delete it: nothing is left to do. False: the lease was lost and another worker has it."""
    done = session.execute(
        text("DELETE FROM jobs WHERE id = :id AND fence = :fence AND state = 'due' RETURNING 1"),
        {"id": job.id, "fence": job.fence},
    )
    return done.first() is not None


def retry(session: Session, job: LeasedJob, *, run_at: datetime, error: str) -> bool:
    """An attempt failed; the job runs again at `run_at`."""
    return _update(
        session, job, "run_at = :run_at, leased_until = NULL, last_error = :error", run_at=run_at, error=error
    )


def reschedule(session: Session, job: LeasedJob, *, run_at: datetime) -> bool:
    """Nothing failed, the work goes on at `run_at`: failed attempts are counted from the beginning."""
    return _update(
        session, job, "run_at = :run_at, leased_until = NULL, last_error = NULL, attempts = 0", run_at=run_at
    )


def dead_letter(session: Session, job: LeasedJob, *, now: datetime, error: str) -> bool:
    """Make it a dead letter: no attempt is left. An operator replays it (`flask jobs replay`)."""
    return _update(
        session,
        job,
        "state = 'dead', leased_until = NULL, last_error = :error, finished_at = :now",
        now=now,
        error=error,
    )


def _update(session: Session, job: LeasedJob, changes: str, **values: object) -> bool:
    done = session.execute(
        text(f"UPDATE jobs SET {changes} WHERE id = :id AND fence = :fence AND state = 'due' RETURNING 1"),  # noqa: S608
        {"id": job.id, "fence": job.fence, **values},
    )
    return done.first() is not None


def replay(session: Session, job_id: uuid.UUID, *, now: datetime) -> bool:
    """Make a dead job due again, with all its attempts. False: it is not dead."""
    done = session.execute(
        text(
            "UPDATE jobs SET state = 'due', attempts = 0, run_at = :now WHERE id = :id AND state = 'dead' RETURNING 1"
        ),
        {"id": job_id, "now": now},
    )
    return done.first() is not None

"""Dead letters of the work queue, replayed by an operator."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from app import clock, queue
from app.errors import NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.principal import Principal
from app.unit_of_work import transaction


def replay(job_id: uuid.UUID, *, operator: Principal) -> None:
    """Make a dead job due again, with all its attempts. Raises NotFound: no dead job has this id."""
    now = clock.now()

    def work(session: Session) -> None:
        if not queue.replay(session, job_id, now=now):
            raise NotFound("No dead job has this id.")
        outbox.record(
            session,
            EventType.JOB_REPLAYED,
            object_id=str(job_id),
            data={},
            now=now,
            actor=operator,
            is_public=False,
        )

    transaction(work)

"""Work to be done later, at least once: the row is the queue, Celery only a wake-up."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Moment, Words


class Job(Base):
    """`kind` names the function (app/worker), `ref` what it is about; one job per pair. state: due, done, dead."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "ref"),
        CheckConstraint("state IN ('due', 'done', 'dead')"),
        Index("jobs_run_at_due", "run_at", postgresql_where="state = 'due'"),
    )

    id: Mapped[Key]
    kind: Mapped[Words]
    ref: Mapped[Words]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    run_at: Mapped[Moment]
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[Moment | None]
    state: Mapped[Words]
    last_error: Mapped[Words | None]
    created_at: Mapped[Moment]
    finished_at: Mapped[Moment | None]

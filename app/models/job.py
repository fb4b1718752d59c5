"""Work to be done later, at least once: the row is the queue; Celery only starts it."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class JobKind(StrEnum):
    """What a job does (app/worker/kinds.py)."""

    PAYMENT_FOLLOW_UP = "payment.follow_up"
    PAYMENT_SAVE_METHOD = "payment.save_method"
    REFUND_FOLLOW_UP = "refund.follow_up"
    DISPUTE_FOLLOW_UP = "dispute.follow_up"
    PAYOUT_FOLLOW_UP = "payout.follow_up"
    PROVIDER_EVENT_PROCESS = "provider_event.process"
    PROVIDER_EVENT_SWEEP = "provider_event.sweep"
    RECONCILIATION_DAILY = "reconciliation.daily"
    ORDER_SETTLE = "order.settle"
    BOOKING_CONFIRM = "booking.confirm"
    KYC_VERIFY = "kyc.verify"
    RETENTION_SWEEP = "retention.sweep"
    MAIL_SEND = "mail.send"


class JobState(StrEnum):
    DUE = "due"
    DEAD = "dead"


class Job(Base):
    """`ref`: the id of what the job is about; one job for each kind and ref. Nothing else is stored: a job reads the state
    as it is when it runs. A job that is done is deleted. finished_at: when it became a dead letter."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "ref"),
        one_of("state", JobState),
        Index("jobs_run_at_due", "run_at", postgresql_where="state = 'due'"),
    )

    id: Mapped[Key]
    kind: Mapped[JobKind] = mapped_column(EnumText(JobKind))
    ref: Mapped[Words]
    run_at: Mapped[Moment]
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[Moment | None]
    state: Mapped[JobState] = mapped_column(EnumText(JobState))
    last_error: Mapped[Words | None]
    created_at: Mapped[Moment]
    finished_at: Mapped[Moment | None]

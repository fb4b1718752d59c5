"""What each kind of job does, and how often a failed one is tried again.

`run` gets the job's ref and must be safe to run twice: a worker may die after the effect and before the row says done.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from app.models.job import JobKind
from app.queue import Ended, LeasedJob
from app.services.bookings import confirmation
from app.services.callbacks import process, receive
from app.services.customers import saving
from app.services.kyc import verification
from app.services.mail import sending
from app.services.operator import reconciliation, retention
from app.services.orders import settle
from app.services.payments import dispute_follow_up
from app.services.payments import follow_up as payment_follow_up
from app.services.payouts import follow_up as payout_follow_up
from app.services.refunds import follow_up as refund_follow_up


@dataclass(frozen=True, slots=True)
class Handler:
    """`run(job)` does the work; it may return when the job is to run again, or that it has ended the job itself. An
    exception is a failed attempt.

    retries: the waits after each failed attempt, in seconds. After the last one the job is a dead letter or, where
    `retries_forever`, tried again after the last wait, again and again. on_exhausted(ref, error) is called either way.
    """

    run: Callable[[LeasedJob], datetime | Ended | None]
    retries: tuple[int, ...]
    retries_forever: bool = False
    on_exhausted: Callable[[str, str], None] | None = None


def _by_id(work: Callable[[uuid.UUID], datetime | None]) -> Callable[[LeasedJob], datetime | None]:
    return lambda job: work(uuid.UUID(job.ref))


def _report_by_id(report: Callable[[uuid.UUID, str], None]) -> Callable[[str, str], None]:
    return lambda ref, error: report(uuid.UUID(ref), error)


_MONEY_RETRIES: Final = (5, 15, 60, 300, 900, 3600)

_MAIL_RETRIES: Final = (5, 15, 60, 300, 900, *[3600] * 72)
"""For three days."""

HANDLERS: Final[Mapping[JobKind, Handler]] = MappingProxyType(
    {
        JobKind.PAYMENT_FOLLOW_UP: Handler(
            _by_id(payment_follow_up.follow_up),
            _MONEY_RETRIES,
            retries_forever=True,
            on_exhausted=_report_by_id(payment_follow_up.report_failing),
        ),
        JobKind.PAYMENT_SAVE_METHOD: Handler(
            _by_id(saving.save_paid_with), (5, 15, 60, 300, 900, 3600, 21_600, 86_400)
        ),
        JobKind.REFUND_FOLLOW_UP: Handler(
            _by_id(refund_follow_up.follow_up),
            _MONEY_RETRIES,
            retries_forever=True,
            on_exhausted=_report_by_id(refund_follow_up.report_failing),
        ),
        JobKind.DISPUTE_FOLLOW_UP: Handler(
            _by_id(dispute_follow_up.follow_up), (*_MONEY_RETRIES, 86_400), retries_forever=True
        ),
        JobKind.ORDER_SETTLE: Handler(_by_id(settle.settle), _MONEY_RETRIES, retries_forever=True),
        JobKind.BOOKING_CONFIRM: Handler(_by_id(confirmation.confirm), _MONEY_RETRIES, retries_forever=True),
        JobKind.PAYOUT_FOLLOW_UP: Handler(
            _by_id(payout_follow_up.follow_up),
            _MONEY_RETRIES,
            retries_forever=True,
            on_exhausted=_report_by_id(payout_follow_up.report_failing),
        ),
        JobKind.PROVIDER_EVENT_PROCESS: Handler(
            process.process,
            (2, 5, 15, 60, 300, 900, 3600, 21_600),
            on_exhausted=_report_by_id(process.dead_letter),
        ),
        JobKind.PROVIDER_EVENT_SWEEP: Handler(lambda job: receive.sweep(), (3600,), retries_forever=True),
        JobKind.RECONCILIATION_DAILY: Handler(
            lambda job: reconciliation.daily(), (3600,), retries_forever=True
        ),
        JobKind.RETENTION_SWEEP: Handler(lambda job: retention.sweep(), (60, 3600), retries_forever=True),
        JobKind.MAIL_SEND: Handler(_by_id(sending.send), _MAIL_RETRIES),
        JobKind.KYC_VERIFY: Handler(
            lambda job: verification.verify_unattended(job.ref), (5, 60, 300, 900, 3600)
        ),
    }
)

RECURRING: Final[Mapping[JobKind, timedelta]] = MappingProxyType(
    {
        JobKind.RECONCILIATION_DAILY: reconciliation.EVERY,
        JobKind.RETENTION_SWEEP: retention.EVERY,
        JobKind.PROVIDER_EVENT_SWEEP: receive.SWEEP_EVERY,
    }
)
"""Kinds that run for ever → the time before their first run."""

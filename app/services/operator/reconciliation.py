"""Reconciliation with the providers: each day by a job, and on demand (`flask reconcile`, POST /admin/reconcile).

On demand, providers are queried about everything that is open, and about what was ended for its age in the last days. Work that lost its job, or that is past its horizon and
under review, gets one again; clearing accounts are compared with the payments they stand for.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import String, cast, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import clock, ids, ledger, queue
from app.errors import GatewayError, InvalidRequest
from app.events import outbox
from app.events.catalogue import EventType
from app.models.job import Job, JobKind, JobState
from app.models.payment import AttemptState, Payment, PaymentAttempt, Refund
from app.models.payment_review import PaymentReview, ReviewReason
from app.models.withdrawal import Payout
from app.providers import PROVIDERS
from app.providers.errors import NO_PROVIDER_ID, ProviderError
from app.services.payments import follow_up as payment_follow_up
from app.services.payments.states import OPEN_ATTEMPTS, OPEN_REFUNDS
from app.services.payouts import follow_up as payout_follow_up
from app.services.refunds import follow_up as refund_follow_up
from app.services.withdrawals.states import OPEN_PAYOUTS
from app.unit_of_work import reading, transaction

LIMIT: Final = 500
"""Payments queried in one run; the oldest first."""

ENDED_WITHIN: Final = timedelta(days=3)
"""So long an attempt that was ended for its age is queried again: a wrong clock, or a customer who is late, makes it collect."""

PAID_AFTER_ALL: Final = "paid after it had ended"

NOT_CHECKED: Final = "not checked"

EVERY: Final = timedelta(days=1)
CHECK_LIMIT_S: Final = 45
"""Longest time of the daily check, shorter than a job's lease; `flask ledger check` takes as long as it takes."""

log = structlog.get_logger("reconciliation")


@dataclass(frozen=True, slots=True)
class OpenReview:
    """An open review of a payment."""

    payment_id: uuid.UUID
    reason: ReviewReason
    provider: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation found. outcomes: how many payments ended in which way. not_checked: payments for which there
    was no time."""

    checked: int
    not_checked: int
    refunds_checked: int
    payouts_checked: int
    jobs_restarted: int
    outcomes: Mapping[str, int]
    in_review: Sequence[OpenReview]
    ledger_findings: Sequence[str]


def reconcile(*, provider: str | None = None, budget_s: float = float("inf")) -> Report:
    """Query the providers about everything that is open, and check the ledger.

    After `budget_s` seconds no provider is queried any more: what is left is followed up by its jobs. Raises InvalidRequest
    for an unknown provider.
    """
    until = time.monotonic() + budget_s
    if provider is not None and provider not in PROVIDERS:
        raise InvalidRequest(f"There is no provider {provider}.", field="provider")
    requeued = transaction(_requeue)
    attempts, refunds, payouts = _open(provider)
    outcomes: Counter[str] = Counter()
    for attempt_id in attempts:
        outcomes[_poll(attempt_id) if time.monotonic() < until else NOT_CHECKED] += 1
    checked = len(attempts) - outcomes[NOT_CHECKED]
    outcomes += _poll_ended(_ended(provider), until)
    refunds_checked = 0
    for refund_id in refunds:
        if time.monotonic() < until:
            refund_follow_up.poll(refund_id, source="reconciliation")
            refunds_checked += 1
    payouts_checked = 0
    for payout_id in payouts:
        if time.monotonic() < until:
            payout_follow_up.poll(payout_id, source="reconciliation")
            payouts_checked += 1
    with reading() as session:
        waiting = _in_review(session)
        findings = [str(finding) for finding in ledger.check(session)]
    log.info("reconciliation.done", checked=len(attempts), findings=len(findings))
    return Report(
        checked=checked,
        not_checked=outcomes[NOT_CHECKED],
        refunds_checked=refunds_checked,
        payouts_checked=payouts_checked,
        jobs_restarted=requeued,
        outcomes=outcomes,
        in_review=waiting,
        ledger_findings=findings,
    )


def daily() -> datetime:
    """The daily check; returns when it is due next. Findings are an event (`ledger.disagrees`) and an error in the log."""
    requeued = transaction(_requeue)
    try:
        with reading() as session:
            findings = [str(finding) for finding in ledger.check(session, limit_s=CHECK_LIMIT_S)]
    except (GatewayError, DBAPIError) as error:
        # The database is away, or the check took too long.
        log.error("ledger.not_checked", error=type(error).__name__)
        findings = []
    if findings:
        log.error("ledger.disagrees", findings=len(findings), first=findings[0])
        transaction(lambda session: _report(session, findings))
    log.info("reconciliation.daily", jobs_restarted=requeued, findings=len(findings))
    return clock.now() + EVERY


def _report(session: Session, findings: list[str]) -> None:
    outbox.record(
        session,
        EventType.LEDGER_DISAGREES,
        object_id="ledger",
        data={"findings": findings},
        now=clock.now(),
        actor="system",
        is_public=False,
    )


def _open(provider: str | None) -> tuple[list[uuid.UUID], list[uuid.UUID], list[uuid.UUID]]:
    """Ids of open attempts, refunds and payouts, the oldest first."""
    attempts = select(PaymentAttempt.id).where(PaymentAttempt.state.in_(OPEN_ATTEMPTS))
    refunds = select(Refund.id).join(PaymentAttempt, PaymentAttempt.id == Refund.attempt_id)
    refunds = refunds.where(Refund.state.in_(OPEN_REFUNDS))
    payouts = select(Payout.id).where(Payout.state.in_(OPEN_PAYOUTS))
    if provider is not None:
        attempts = attempts.where(PaymentAttempt.provider == provider)
        refunds = refunds.where(PaymentAttempt.provider == provider)
        payouts = payouts.where(Payout.provider == provider)
    with reading() as session:
        return (
            list(session.scalars(attempts.order_by(PaymentAttempt.id).limit(LIMIT))),
            list(session.scalars(refunds.order_by(Refund.id).limit(LIMIT))),
            list(session.scalars(payouts.order_by(Payout.id).limit(LIMIT))),
        )


def _ended(provider: str | None) -> list[uuid.UUID]:
    """Attempts that were ended for their age lately, the newest first. Rows are found by their ids, which begin with their time."""
    since = ids.first_of(
        clock.now() - ENDED_WITHIN - max(one.capabilities.horizon for one in PROVIDERS.values())
    )
    ended = select(PaymentAttempt.id).where(
        PaymentAttempt.id >= since,
        PaymentAttempt.state == AttemptState.FAILED,
        PaymentAttempt.error_code.in_(payment_follow_up.ENDED_FOR_AGE),
        PaymentAttempt.updated_at >= clock.now() - ENDED_WITHIN,
    )
    if provider is not None:
        ended = ended.where(PaymentAttempt.provider == provider)
    with reading() as session:
        return list(session.scalars(ended.order_by(PaymentAttempt.id.desc()).limit(LIMIT)))


def _poll_ended(attempts: Sequence[uuid.UUID], until: float) -> Counter[str]:
    found: Counter[str] = Counter()
    for attempt_id in attempts:
        if time.monotonic() >= until:
            break
        try:
            found[PAID_AFTER_ALL] += payment_follow_up.poll_ended(attempt_id)
        except (GatewayError, ProviderError) as error:
            log.info("reconciliation.ended_not_queried", attempt=str(attempt_id), code=error.code)
        except Exception:
            # A bug about one payment must not keep the others from being queried.
            log.exception("reconciliation.failed", attempt=str(attempt_id))
    return +found


def _poll(attempt_id: uuid.UUID) -> str:
    try:
        return payment_follow_up.poll(attempt_id).rows.payment.status
    except ProviderError as error:
        return (
            f"outcome unknown ({'no provider id to query' if error.code == NO_PROVIDER_ID else error.code})"
        )
    except GatewayError as error:
        return f"not queried: {error.code}"
    except Exception as error:
        # A bug about one payment must not keep the others from being queried.
        log.exception("reconciliation.failed", attempt=str(attempt_id))
        return f"not queried: {type(error).__name__}"


def _requeue(session: Session) -> int:
    """Open work whose job is dead or missing is due again; how much of it."""
    attempts = _requeue_kind(session, JobKind.PAYMENT_FOLLOW_UP, PaymentAttempt, OPEN_ATTEMPTS)
    refunds = _requeue_kind(session, JobKind.REFUND_FOLLOW_UP, Refund, OPEN_REFUNDS)
    return attempts + refunds + _requeue_kind(session, JobKind.PAYOUT_FOLLOW_UP, Payout, OPEN_PAYOUTS)


def _requeue_kind(
    session: Session, kind: JobKind, model: type[PaymentAttempt | Refund | Payout], states: tuple[str, ...]
) -> int:
    now, ref = clock.now(), cast(model.id, String)
    is_due = select(Job.id).where(Job.kind == kind, Job.ref == ref, Job.state == JobState.DUE).exists()
    lost = session.scalars(
        select(model.id).where(model.state.in_(states), ~is_due).order_by(model.id).limit(LIMIT)
    ).all()
    for work_id in lost:
        queue.requeue(session, kind, ref=str(work_id), run_at=now, now=now)
    return len(lost)


def _in_review(session: Session) -> list[OpenReview]:
    rows = session.execute(
        select(Payment.id, PaymentReview.reason, Payment.provider)
        .join(PaymentReview, PaymentReview.payment_id == Payment.id)
        .where(PaymentReview.closed_at.is_(None))
        .order_by(Payment.id)
        .limit(LIMIT)
    )
    return [OpenReview(row.id, row.reason, row.provider) for row in rows]

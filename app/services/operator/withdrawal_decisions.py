"""Decisions of operators about withdrawals, made with the provider's dashboard at hand: `flask withdrawals …`.

Guarantees: as decisions.py; a payout ends once, whoever else decides or whatever the provider reports at the same moment.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from app.errors import InvalidRequest
from app.events.catalogue import EventType
from app.models.withdrawal import Payout, Withdrawal, WithdrawalReview, WithdrawalReviewReason
from app.money import Money
from app.principal import Principal
from app.providers.base import FailureCode, ProviderResult, State
from app.services.operator.resolving import require_open
from app.services.payouts import outcomes
from app.services.reasons import valid_reason
from app.services.withdrawals import rows as withdrawal_rows
from app.services.withdrawals.recording import record
from app.services.withdrawals.reviews import close_reviews, open_reasons
from app.services.withdrawals.rows import WithdrawalRows, WithdrawalWrites
from app.services.withdrawals.states import OPEN_PAYOUTS
from app.services.write_sets import store
from app.unit_of_work import reading

Decide = Callable[[WithdrawalWrites], None]

LIMIT: Final = 500
"""Open reviews in a list, the oldest first."""

CLOSABLE: Final = frozenset(
    {
        WithdrawalReviewReason.ALTERED,
        WithdrawalReviewReason.PAYOUT_RETURNED,
        WithdrawalReviewReason.PAYOUT_AMOUNT_MISMATCH,
        WithdrawalReviewReason.PAID_AFTER_FAILURE,
    }
)
"""Reviews that need no other decision; the others end with the payout."""


@dataclass(frozen=True, slots=True)
class OpenReview:
    """An open review of a withdrawal."""

    withdrawal_id: uuid.UUID
    tenant_id: uuid.UUID
    reason: WithdrawalReviewReason
    amount: Money
    opened_at: datetime


def in_review() -> Sequence[OpenReview]:
    """Every open review, the oldest first."""
    wanted = (
        select(WithdrawalReview, Withdrawal)
        .join(Withdrawal, Withdrawal.id == WithdrawalReview.withdrawal_id)
        .where(WithdrawalReview.closed_at.is_(None))
        .order_by(WithdrawalReview.opened_at)
        .limit(LIMIT)
    )
    with reading() as session:
        found = session.execute(wanted).all()
    return [
        OpenReview(one.id, one.tenant_id, review.reason, Money(one.amount, one.currency), review.opened_at)
        for review, one in found
    ]


def resolve(withdrawal_id: uuid.UUID, state: State, *, operator: Principal) -> Withdrawal:
    """End the payout of a withdrawal that the provider cannot be queried about: SUCCEEDED (it was paid) or FAILED (it was not,
    and its amount is released). Raises WithdrawalNotFound, InvalidRequest."""

    def decide(writes: WithdrawalWrites) -> None:
        payout = _payout(writes.rows)
        is_open = payout.state in OPEN_PAYOUTS
        require_open(payout, state, is_open=is_open, noun="payout", recipient="destination")
        message = f"Decided by {operator.event_actor}."
        result = ProviderResult(state, code="operator", message=message, failure=FailureCode.NOT_PAID)
        outcomes.decide(writes, payout, result)

    return _decided(withdrawal_id, decide, operator)


def record_return(withdrawal_id: uuid.UUID, *, operator: Principal) -> Withdrawal:
    """Record that a completed payout came back to the platform: the tenant has its amount again. Raises WithdrawalNotFound,
    InvalidRequest."""

    def decide(writes: WithdrawalWrites) -> None:
        if not outcomes.mark_returned(writes, _payout(writes.rows)):
            raise InvalidRequest("Only a completed payout can come back.")

    return _decided(withdrawal_id, decide, operator)


def record_paid(withdrawal_id: uuid.UUID, *, operator: Principal) -> Withdrawal:
    """Record that a payout which had failed was made: the tenant is debited, and owes what it does not have. Raises
    WithdrawalNotFound, InvalidRequest."""

    def decide(writes: WithdrawalWrites) -> None:
        if not outcomes.record_paid(writes, _payout(writes.rows)):
            raise InvalidRequest(
                "Only a payout that has failed, and did not come back, can be recorded as paid."
            )

    return _decided(withdrawal_id, decide, operator)


def close_review(
    withdrawal_id: uuid.UUID, reason: WithdrawalReviewReason, *, remark: str, operator: Principal
) -> Withdrawal:
    """Close a review that needs no other decision. Raises WithdrawalNotFound, InvalidRequest."""
    text = valid_reason(remark)

    def decide(writes: WithdrawalWrites) -> None:
        if reason not in open_reasons(writes.rows):
            raise InvalidRequest(f"There is no open review {reason.value}.")
        if reason not in CLOSABLE:
            raise InvalidRequest("This review closes when the payout ends: flask withdrawals resolve.")
        close_reviews(writes, {reason})
        record(writes, EventType.WITHDRAWAL_REVIEWED, {"reason": reason.value, "remark": text})

    return _decided(withdrawal_id, decide, operator)


def _decided(withdrawal_id: uuid.UUID, decide: Decide, operator: Principal) -> Withdrawal:
    rows = withdrawal_rows.read(withdrawal_id)
    return store.change(rows, decide, actor=operator.event_actor).rows.withdrawal


def _payout(rows: WithdrawalRows) -> Payout:
    if rows.payout is None:
        raise InvalidRequest(f"The withdrawal is {rows.withdrawal.status}: it has no payout.")
    return rows.payout

"""Cancels withdrawals that do not have all their approvals yet."""

from __future__ import annotations

import uuid

from app import clock, ids
from app.errors import GatewayError
from app.events.catalogue import EventType
from app.models.idempotency import IdempotencyRecord
from app.models.withdrawal import WithdrawalReviewReason, WithdrawalState
from app.principal import Principal
from app.services.idempotency_service import Answer, Claim, find, judge, replayed
from app.services.payouts import postings
from app.services.withdrawals import rows as withdrawal_rows
from app.services.withdrawals.approve import owned
from app.services.withdrawals.create import LEASE
from app.services.withdrawals.errors import WithdrawalNotCancelable
from app.services.withdrawals.recording import record
from app.services.withdrawals.reviews import close_reviews
from app.services.withdrawals.rows import WithdrawalWrites
from app.services.withdrawals.states import move_withdrawal
from app.services.write_sets import store
from app.services.write_sets.store import KeyKnown


def cancel(member: Principal, withdrawal_id: uuid.UUID, *, reason: str | None, claim: Claim) -> Answer:
    """Cancel a pending withdrawal: its amount is available again. The claim presents the `Withdrawal`.

    Raises WithdrawalNotFound, WithdrawalNotCancelable.
    """
    if (known := find(claim)) is not None:
        return _known(known, claim, withdrawal_id)
    # Of this request alone: the withdrawal's id is that of every request about it.
    request_id, rows = ids.uuid7(), owned(member, withdrawal_id)

    def decide(writes: WithdrawalWrites) -> Answer:
        withdrawal = writes.rows.withdrawal
        if not move_withdrawal(withdrawal, WithdrawalState.CANCELED, now=writes.now):
            raise WithdrawalNotCancelable(f"Cannot cancel transaction with status: {withdrawal.status}")
        withdrawal.canceled_by, withdrawal.cancel_reason = member.user_id, reason
        writes.claim(claim, resource_id=request_id, lease=LEASE)
        postings.release(writes)
        close_reviews(writes, {WithdrawalReviewReason.ALTERED})
        record(writes, EventType.WITHDRAWAL_CANCELED)
        answer = claim.present(withdrawal)
        writes.answer(claim, answer, resource_id=request_id)
        return answer

    try:
        return store.change(rows, decide, actor=member).result
    except KeyKnown as key:
        return _known(key.record, claim, withdrawal_id)
    except GatewayError as error:
        return store.refused(error, claim, known=lambda record: _known(record, claim, withdrawal_id))


def _known(record: IdempotencyRecord, claim: Claim, withdrawal_id: uuid.UUID) -> Answer:
    """The answer of a key that was claimed before. Where there is none any more, the withdrawal as it is now."""
    known = judge(record, claim, now=clock.now())
    if isinstance(known, Answer):
        return known
    return replayed(claim, withdrawal_rows.read(withdrawal_id).withdrawal)

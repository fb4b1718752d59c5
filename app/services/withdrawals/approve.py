"""Approves withdrawals, and pays them out.

Guarantees: no person approves what they requested, by whatever account; one person counts once; what is paid is what was requested
and approved; however many approve or cancel at the same moment, there is one outcome and at most one payout.
"""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from flask import current_app

from app import clock, ids
from app.errors import GatewayError, WithdrawalAltered
from app.events.catalogue import EventType
from app.events.payloads import destination_payload
from app.models.idempotency import IdempotencyRecord
from app.models.withdrawal import (
    WithdrawalApproval,
    WithdrawalReviewReason,
    WithdrawalState,
)
from app.principal import Principal
from app.providers.base import PayoutMethod, Provider
from app.services.idempotency_service import Answer, Claim, find, judge, replayed, store_answer
from app.services.payouts import follow_up as payouts
from app.services.payouts import routing
from app.services.provider_access import bulkhead
from app.services.provider_operations import answer_time
from app.services.withdrawals import digests
from app.services.withdrawals import rows as withdrawal_rows
from app.services.withdrawals.errors import (
    FourEyesViolation,
    NotApprovable,
    WithdrawalNotFound,
)
from app.services.withdrawals.four_eyes import agreement, is_active_member, is_same_person, is_young
from app.services.withdrawals.masking import masked
from app.services.withdrawals.recording import record
from app.services.withdrawals.reviews import open_review
from app.services.withdrawals.rows import WithdrawalRows, WithdrawalWrites
from app.services.withdrawals.states import FINAL_WITHDRAWALS, move_withdrawal
from app.services.write_sets import store
from app.services.write_sets.rows import new_row
from app.services.write_sets.store import KeyKnown

_POLL_S: Final = 0.05
"""Between two looks at whether the payout is final."""

_WAITING: Final = "withdrawals.waiting"
"""The bulkhead of the threads that wait for a payout's result."""

log = structlog.get_logger("withdrawals")


@dataclass(frozen=True, slots=True)
class _Claimed:
    """request_id: of this request alone. The withdrawal's id is that of every request about it."""

    claim: Claim
    request_id: uuid.UUID


def approve(approver: Principal, withdrawal_id: uuid.UUID, claim: Claim) -> Answer:
    """Approve a withdrawal; the last approval that is needed pays it out. The claim presents an `Agreement`.

    Raises WithdrawalNotFound; FourEyesViolation, NotApprovable; WithdrawalAltered; WithdrawalFailed is the presenter's for a payout that
    has failed.
    """
    if (known := find(claim)) is not None:
        return _known(known, claim, withdrawal_id)
    request_id, rows = ids.uuid7(), owned(approver, withdrawal_id)
    provider = routing.provider_for(PayoutMethod(rows.withdrawal.method), rows.withdrawal.currency)
    with ExitStack() as slots:
        has_slot = slots.enter_context(bulkhead.slot(provider.name))
        try:
            begun = store.change(
                rows,
                lambda writes: _decide(
                    writes, approver, provider, _Claimed(claim, request_id), is_sending=has_slot
                ),
                actor=approver,
            )
        except KeyKnown as key:
            return _known(key.record, claim, withdrawal_id)
        except GatewayError as error:
            return store.refused(error, claim, known=lambda record: _known(record, claim, withdrawal_id))
        if begun.result is None:
            raise WithdrawalAltered
        rows = begun.rows
        if has_slot and rows.payout is not None:
            rows = payouts.send(rows, rows.payout.id)
    answer = claim.present(agreement(_when_final(rows)))
    store_answer(claim, answer)
    return answer


def owned(member: Principal, withdrawal_id: uuid.UUID) -> WithdrawalRows:
    """The tenant's withdrawal. Raises WithdrawalNotFound, for a foreign one too."""
    rows = withdrawal_rows.read(withdrawal_id)
    if rows.withdrawal.tenant_id != member.tenant_id:
        raise WithdrawalNotFound
    return rows


def _decide(
    writes: WithdrawalWrites, approver: Principal, provider: Provider, claimed: _Claimed, *, is_sending: bool
) -> bool | None:
    """Whether the withdrawal is paid out now. None: it was altered, and an operator is alerted."""
    rows, withdrawal = writes.rows, writes.rows.withdrawal
    if withdrawal.status != WithdrawalState.PENDING:
        raise NotApprovable(f"Transaction is not pending (status: {withdrawal.status})")
    if is_same_person(withdrawal.initiated_by, approver.user_id):
        raise FourEyesViolation
    has_approved = any(is_same_person(one.user_id, approver.user_id) for one in rows.approvals)
    if has_approved and not agreement(rows).is_complete:
        raise NotApprovable("You have approved this withdrawal already; another person must approve it")
    if not payouts.is_as_requested(rows):
        open_review(writes, WithdrawalReviewReason.ALTERED)
        return None
    if not is_active_member(withdrawal.tenant_id, withdrawal.initiated_by):
        raise NotApprovable("Whoever requested this withdrawal cannot act for you any more; request it anew")
    lease = answer_time() + timedelta(seconds=15)
    writes.claim(claimed.claim, resource_id=claimed.request_id, lease=lease)
    if not has_approved:
        _add_approval(writes, approver)
    if not agreement(rows).is_complete:
        return False
    _confirm_destination(writes, approver)
    withdrawal.approved_at = writes.now
    move_withdrawal(withdrawal, WithdrawalState.PROCESSING, now=writes.now)
    payouts.begin(writes, provider, is_sending=is_sending)
    record(writes, EventType.WITHDRAWAL_PROCESSING)
    return True


def _add_approval(writes: WithdrawalWrites, approver: Principal) -> None:
    withdrawal = writes.rows.withdrawal
    approval = new_row(
        WithdrawalApproval,
        id=ids.uuid7(),
        withdrawal_id=withdrawal.id,
        user_id=approver.user_id,
        digest=digests.approval_digest(withdrawal, approver.user_id),
        created_at=writes.now,
    )
    writes.rows.approvals.append(approval)
    withdrawal.approved_by, withdrawal.updated_at = approver.user_id, writes.now
    agreed = agreement(writes.rows)
    counts = {"approvals": len(agreed.approvals), "required_approvals": agreed.required}
    record(writes, EventType.WITHDRAWAL_APPROVED, counts)


def _confirm_destination(writes: WithdrawalWrites, approver: Principal) -> None:
    """Enough people have agreed to it for its later withdrawals, too."""
    destination = writes.rows.destination
    if destination.confirmed_at is None and is_young(destination):
        destination.confirmed_by, destination.confirmed_at = approver.user_id, writes.now
        facts = destination_payload(destination, masked(destination.details))
        writes.record(EventType.PAYOUT_DESTINATION_CONFIRMED, facts, is_public=False)


def _when_final(rows: WithdrawalRows) -> WithdrawalRows:
    """The withdrawal once it is final, or as it is after WITHDRAWAL_WAIT_S; as it is now when many threads wait already."""
    until = time.monotonic() + current_app.config["WITHDRAWAL_WAIT_S"]
    with bulkhead.slot(_WAITING) as may_wait:
        while may_wait and rows.payout is not None and rows.withdrawal.status not in FINAL_WITHDRAWALS:
            if time.monotonic() >= until:
                break
            time.sleep(_POLL_S)
            rows = withdrawal_rows.read(rows.withdrawal.id)
    return rows


def _known(record: IdempotencyRecord, claim: Claim, withdrawal_id: uuid.UUID) -> Answer:
    """The answer of a key that was claimed before, for this withdrawal: the path is part of what is compared. Where there is none,
    or none any more, the withdrawal as it is now."""
    known = judge(record, claim, now=clock.now())
    if isinstance(known, Answer):
        return known
    return replayed(claim, agreement(withdrawal_rows.read(withdrawal_id)))

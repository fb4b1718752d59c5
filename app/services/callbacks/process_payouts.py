"""Callbacks about payouts (process.py): the provider is queried where it answers; else what is vouched for is applied."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from app import clock
from app.models.provider_event import ProviderEventState
from app.models.withdrawal import Payout, PayoutState, WithdrawalReviewReason
from app.providers.base import CallbackEvent, Kind, ProviderResult, State
from app.providers.errors import OutcomeUnknown
from app.queue import Ended
from app.services.callbacks import stored
from app.services.callbacks.stored import Processing
from app.services.payouts import follow_up as payout_follow_up
from app.services.payouts import outcomes
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.withdrawals import rows as withdrawal_rows
from app.services.withdrawals.reviews import open_review
from app.services.withdrawals.rows import WithdrawalRows, WithdrawalWrites
from app.services.withdrawals.states import OPEN_PAYOUTS
from app.services.write_sets import store

CONFIRM_AGAIN_S: Final = 3
MAX_CONFIRMATIONS: Final = 4
"""A provider may send a callback before its own data is up to date: it is queried at most this often for its sake."""

RETURNED: Final = frozenset({State.FAILED, State.REVERSED})


def process_payout(
    processing: Processing, parsed: CallbackEvent, found: Mapping[str, Any]
) -> datetime | Ended:
    """Apply what a callback reports about a payout; when to confirm it again, or that the job has ended."""
    event, rows = processing.event, withdrawal_rows.of_json(found["rows"])
    payout = rows.payout_with(uuid.UUID(found["payout_id"]))
    with bulkhead.slot(event.provider) as has_slot:
        if not has_slot:
            return bulkhead.retry_at(clock.now(), since=event.received_at)
        is_vouched = parsed.is_verified or event.path_token == payout.callback_token
        is_settled = _apply(parsed, rows, payout, is_vouched=is_vouched)
    if is_settled or event.confirmations + 1 >= MAX_CONFIRMATIONS:
        result = stored.APPLIED if is_settled else stored.NOT_CONFIRMED
        return processing.close(ProviderEventState.PROCESSED, result, None)
    stored.count_confirmation(event.id)
    return clock.now() + timedelta(seconds=CONFIRM_AGAIN_S)


def _apply(parsed: CallbackEvent, rows: WithdrawalRows, payout: Payout, *, is_vouched: bool) -> bool:
    """Whether the payout is now as the callback reports, or final anyway."""
    reported = parsed.reported
    can_query = Kind.PAYOUT in provider_accounts.of_attempt(payout).capabilities.inquiry_kinds
    if payout.state == PayoutState.COMPLETED and reported is not None and reported.state in RETURNED:
        return _apply_return(rows, payout, can_query=can_query, is_vouched=is_vouched)
    if payout.state not in OPEN_PAYOUTS:
        is_paid = reported is not None and reported.state is State.SUCCEEDED
        is_late = is_paid and payout.state == PayoutState.FAILED
        return not is_late or _apply_late_success(
            parsed, rows, payout, can_query=can_query, is_vouched=is_vouched
        )
    if can_query:
        return payout_follow_up.poll(payout.id, source="callback") not in OPEN_PAYOUTS
    if reported is not None and is_vouched and (parsed.is_verified or _is_about(parsed, payout)):
        _change(rows, lambda writes: outcomes.decide(writes, writes.rows.payout_with(payout.id), reported))
    return True


def _is_about(parsed: CallbackEvent, payout: Payout) -> bool:
    """Whether an unsigned message that came to the payout's own URL is about the payout: it names it, or nothing, or the payout's
    id is not known here."""
    named = {parsed.reference, parsed.provider_reference} - {None}
    ours = {payout.reference, payout.provider_reference}
    return payout.provider_reference is None or not named or not named.isdisjoint(ours)


def _apply_late_success(
    parsed: CallbackEvent, rows: WithdrawalRows, payout: Payout, *, can_query: bool, is_vouched: bool
) -> bool:
    """A payout that has failed here is reported as made: once the provider says so itself, an operator must look."""
    outcome = payout_follow_up.inquire(rows, payout.id) if can_query else parsed.reported
    if isinstance(outcome, OutcomeUnknown):
        raise outcome
    is_paid = isinstance(outcome, ProviderResult) and outcome.state is State.SUCCEEDED
    if is_paid and (can_query or is_vouched) and outcome is not None:
        _change(rows, lambda writes: outcomes.decide(writes, writes.rows.payout_with(payout.id), outcome))
    return True


def _apply_return(rows: WithdrawalRows, payout: Payout, *, can_query: bool, is_vouched: bool) -> bool:
    """A completed payout is reported as failed or reversed. The provider must confirm it, or an operator must look."""
    if not can_query:
        if is_vouched:
            _change(rows, lambda writes: open_review(writes, WithdrawalReviewReason.PAYOUT_RETURNED))
        return True
    outcome = payout_follow_up.inquire(rows, payout.id)
    if isinstance(outcome, OutcomeUnknown):
        raise outcome
    if not isinstance(outcome, ProviderResult) or outcome.state not in RETURNED:
        return False
    _change(rows, lambda writes: outcomes.mark_returned(writes, writes.rows.payout_with(payout.id)))
    return True


def _change(rows: WithdrawalRows, decide: Callable[[WithdrawalWrites], object]) -> None:
    store.change(rows, decide, actor="callback")

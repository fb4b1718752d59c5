"""Callbacks about refunds (process.py): ours are queried, external refunds are imported."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from app.models.payment import PaymentAttempt, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.models.provider_event import ProviderEvent
from app.providers.base import CallbackEvent, Kind, ProviderResult, State
from app.providers.errors import OutcomeUnknown
from app.services.callbacks import stored
from app.services.payments import reviews
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import OPEN_REFUNDS
from app.services.provider_access import accounts as provider_accounts
from app.services.refunds import external as external_refunds
from app.services.refunds import follow_up as refund_follow_up
from app.services.refunds import outcomes as refund_outcomes
from app.services.write_sets import store
from app.unit_of_work import reading

ANNOUNCED_WITHIN: Final = timedelta(minutes=2)
"""A provider that announces a refund before it is done does so this soon after it was sent."""


def process_refund(parsed: CallbackEvent, rows: PaymentRows, refund: Refund, *, is_vouched: bool) -> bool:
    """Whether a refund of ours is now as the callback reports. Raises ProviderError."""
    reported = parsed.reported
    provider = provider_accounts.of_attempt(rows.attempt(refund.attempt_id))
    can_query = Kind.REFUND in provider.capabilities.inquiry_kinds
    if (
        refund.state == RefundState.COMPLETED
        and can_query
        and reported is not None
        and reported.state is State.FAILED
    ):
        return _process_returned(rows, refund)
    if refund.state not in OPEN_REFUNDS:
        return True
    if can_query:
        return refund_follow_up.poll(refund.id, source="callback") not in OPEN_REFUNDS
    if parsed.kind is Kind.PAYMENT:
        return True  # what it reports became of the payment
    if reported is not None and is_vouched and (parsed.is_verified or _is_about(parsed, refund)):
        store.change(
            rows, lambda writes: refund_outcomes.decide(writes, refund.id, reported), actor="callback"
        )
    return True


def _is_about(parsed: CallbackEvent, refund: Refund) -> bool:
    """Whether an unsigned message that came to the refund's own URL is about the refund: it names it, or nothing, or the
    refund's id is not known here. The answer to another request, sent to that URL, must not end it: its own query will."""
    named = {parsed.reference, parsed.provider_reference} - {None}
    ours = {refund.reference, refund.provider_reference}
    return refund.provider_reference is None or not named or not named.isdisjoint(ours)


def process_external_refunds(
    event: ProviderEvent,
    parsed: CallbackEvent,
    rows: PaymentRows,
    attempt: PaymentAttempt,
    *,
    is_vouched: bool,
) -> bool:
    """Whether the refund that the callback reports is known: it may be an external one. Raises ProviderError."""
    if not provider_accounts.of_attempt(attempt).capabilities.lists_refunds:
        is_nothing = not is_vouched or _is_explained(event, parsed, attempt)
        return is_nothing or open_review(rows, ReviewReason.REFUNDED_AT_PROVIDER)
    is_new = external_refunds.import_external_refunds(rows, attempt.id, source="callback")
    is_done = parsed.reported is not None and parsed.reported.state is State.SUCCEEDED
    return is_new or not is_done  # its list may lag behind its callback


def open_review(rows: PaymentRows, reason: ReviewReason) -> bool:
    """Open a review of the payment: money is refunded or disputed outside the gateway. Returns True: the event is processed."""
    store.change(rows, lambda writes: reviews.open_review(writes, reason), actor="callback")
    return True


def _process_returned(rows: PaymentRows, refund: Refund) -> bool:
    """A completed refund is reported as failed: the customer's bank returned it. The provider must confirm it."""
    outcome = refund_follow_up.inquire(rows, refund.id)
    if isinstance(outcome, OutcomeUnknown):
        raise outcome
    if not isinstance(outcome, ProviderResult) or outcome.state is not State.FAILED:
        return False
    store.change(rows, lambda writes: _mark_returned(writes, refund.id), actor="callback")
    return True


def _mark_returned(writes: PaymentWrites, refund_id: uuid.UUID) -> None:
    refund = writes.rows.refund(refund_id)
    if not refund_outcomes.mark_returned(writes, refund) and refund.state == RefundState.COMPLETED:
        reviews.open_review(writes, ReviewReason.REFUND_RETURNED)


def _is_explained(event: ProviderEvent, parsed: CallbackEvent, attempt: PaymentAttempt) -> bool:
    """Whether the refunds of ours explain all callbacks about refunds of this payment, of which `event` is the latest.

    Each explains one, and one more that came early: while the provider had not finished the refund, or as a repeat within
    ANNOUNCED_WITHIN of its sending that shows no amount of its own. Where all of the money is refunded, each is explained.
    """
    refunds, others = _refunds_and_events(event, attempt)
    ours = [refund for refund in refunds if refund.state != RefundState.FAILED]
    if _is_all_refunded(ours, attempt):
        return True
    unconfirmed = [other for other in others if other.result == stored.NOT_CONFIRMED]
    received = [
        (other.received_at, stored.parse_again(other)) for other in others if other not in unconfirmed
    ]
    repeats = _repeats([(event.received_at, parsed), *received], refunds, attempt)
    early = min(len(refunds), len(unconfirmed) + repeats)
    return len(others) + 1 - early <= len(ours)


def _refunds_and_events(
    event: ProviderEvent, attempt: PaymentAttempt
) -> tuple[list[Refund], list[ProviderEvent]]:
    """The attempt's refunds, oldest first, and the payment's other callbacks about refunds."""
    others = select(ProviderEvent).where(
        ProviderEvent.payment_id == attempt.payment_id,
        ProviderEvent.kind == Kind.REFUND.value,
        ProviderEvent.is_verified,
        ProviderEvent.id != event.id,
    )
    refunds = select(Refund).where(Refund.attempt_id == attempt.id).order_by(Refund.created_at)
    with reading() as session:
        return list(session.scalars(refunds)), list(session.scalars(others))


def _is_all_refunded(ours: list[Refund], attempt: PaymentAttempt) -> bool:
    collected = attempt.collected_money
    return collected is not None and sum(refund.amount for refund in ours) >= collected.amount_minor


def _repeats(
    received: list[tuple[datetime, CallbackEvent]], refunds: list[Refund], attempt: PaymentAttempt
) -> int:
    """How many of these (when it was received, what it says) repeat another one about the same new refund.

    One that shows the amount of a refund is none: it is that refund's own.
    """
    nearest = Counter(
        _just_sent(refunds, received_at)
        for received_at, event in received
        if event.reported is None or event.reported.amount in (None, attempt.collected_money)
    )
    return sum(count - 1 for refund_id, count in nearest.items() if refund_id is not None)


def _just_sent(refunds: list[Refund], moment: datetime) -> uuid.UUID | None:
    """The latest refund that had been made by then, if it was sent a short time ago."""
    made = [refund for refund in refunds if refund.created_at <= moment]
    if not made or moment > (made[-1].sent_at or made[-1].created_at) + ANNOUNCED_WITHIN:
        return None
    return made[-1].id

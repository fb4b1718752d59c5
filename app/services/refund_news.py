"""What news about refunds leads to (provider_event_processing): ours are asked about, others' are found and booked."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.models.payment import PaymentAttempt, Refund
from app.models.provider_event import ProviderEvent
from app.providers.base import CallbackEvent, Kind, Result, State
from app.providers.errors import OutcomeUnknown
from app.services import (
    payment_results,
    provider_accounts,
    provider_refunds,
    refund_driver,
    refund_results,
)
from app.services.payment_states import OPEN_REFUNDS
from app.unit_of_work import reading, transaction


def about_refund(parsed: CallbackEvent, refund: Refund, *, is_vouched: bool) -> bool:
    """Whether a refund of ours is now as the news says. Raises ProviderError."""
    claim = parsed.claim
    with reading() as session:
        attempt = session.get_one(PaymentAttempt, refund.attempt_id)
    is_asked = Kind.REFUND in provider_accounts.of_attempt(attempt).capabilities.asks
    if refund.state == "completed" and is_asked and claim is not None and claim.state is State.FAILED:
        return _about_returned(refund)
    if refund.state not in OPEN_REFUNDS:
        return True
    if is_asked:
        refund_driver.look(refund.id, source="callback")
        with reading() as session:
            return session.get_one(Refund, refund.id).state not in OPEN_REFUNDS
    if claim is not None and is_vouched:
        transaction(lambda s: refund_results.apply(s, refund.id, claim, source="callback", now=clock.now()))
    return True


def about_all_refunds(
    event: ProviderEvent, parsed: CallbackEvent, attempt: PaymentAttempt, *, is_vouched: bool
) -> bool:
    """Whether a payment's refunds are those of the news: somebody may have refunded at the provider. Raises ProviderError."""
    if not provider_accounts.of_attempt(attempt).capabilities.lists_refunds:
        is_nothing = not is_vouched or _has_refund_for(event, attempt)
        return is_nothing or show(attempt, provider_refunds.REVIEW)
    is_new = provider_refunds.take_over(attempt.id, source="callback")
    is_done = parsed.claim is not None and parsed.claim.state is State.SUCCEEDED
    return is_new or not is_done  # its list may lag behind its news


def show(attempt: PaymentAttempt, why: str) -> bool:
    """Put the payment before a person: money goes back that we did not send."""

    def work(session: Session) -> None:
        payment = payment_results.lock(session, attempt.id).payment
        payment_results.review(session, payment, why, source="callback", now=clock.now())

    transaction(work)
    return True


def _about_returned(refund: Refund) -> bool:
    """News that a completed refund failed: it came back from the customer's bank. Believed when the provider says so, too."""
    outcome = refund_driver.inquire(refund.id)
    if isinstance(outcome, OutcomeUnknown):
        raise outcome
    if not isinstance(outcome, Result) or outcome.state is not State.FAILED:
        return False
    transaction(lambda s: _came_back(s, refund))
    return True


def _came_back(session: Session, refund: Refund) -> None:
    now = clock.now()
    if not refund_results.came_back(session, refund.id, source="callback", now=now):
        locked = refund_results.lock(session, refund.id)
        if locked.refund.state == "completed":
            payment_results.review(session, locked.payment, "refund_came_back", source="callback", now=now)


def _has_refund_for(event: ProviderEvent, attempt: PaymentAttempt) -> bool:
    """Whether there are as many refunds of ours as there were news of refunds."""
    ours = select(func.count()).where(Refund.attempt_id == attempt.id, Refund.state != "failed")
    others = select(func.count()).where(
        ProviderEvent.payment_id == attempt.payment_id, ProviderEvent.kind == Kind.REFUND.value,
        ProviderEvent.is_verified, ProviderEvent.id != event.id,
    )  # fmt: skip
    with reading() as session:
        return (session.scalar(ours) or 0) > (session.scalar(others) or 0)

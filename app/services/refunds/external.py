"""External refunds: made in the provider's dashboard or with its API, not by the gateway. They are posted like any other.

Guarantees: the provider's own list decides, not the callback; an external refund is posted once; where it is not clear which
refund is whose, nothing is posted and a review is opened (`refunded_at_provider`).
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest
from app.models.payment import AttemptState, Payment, PaymentAttempt, Refund, RefundOrigin, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import Principal
from app.providers.base import ListedRefund, State
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import postings as payment_postings
from app.services.payments import reviews
from app.services.payments.attempts import charge_reference
from app.services.payments.locks import LockedAttempt, LockedRefund, lock_attempt
from app.services.payments.states import COLLECTED, OPEN_REFUNDS, REFUNDABLE
from app.services.provider_access import accounts as provider_accounts
from app.services.refunds import outcomes
from app.unit_of_work import reading, transaction

REASON: Final = "Refunded at the provider, not through the gateway."


def import_external_refunds(attempt_id: uuid.UUID, *, source: str) -> bool:
    """Post what the provider lists and the gateway does not know; whether there was any. Raises ProviderError."""
    with reading() as session:
        attempt = session.get_one(PaymentAttempt, attempt_id)
        payment = session.get_one(Payment, attempt.payment_id)
    provider = provider_accounts.of_attempt(attempt)
    listed = provider.refunds_of(charge_reference(payment, attempt, provider))

    def work(session: Session) -> bool:
        locked = lock_attempt(session, attempt_id)
        found = _unknown(session, locked.attempt, listed)
        try:
            with session.begin_nested():
                for one in found:
                    _post(session, locked, one, source=source)
        except InvalidRequest:
            reviews.open_review(
                session, locked.payment, ReviewReason.REFUNDED_AT_PROVIDER, source=source, now=clock.now()
            )
        return bool(found)

    return transaction(work)


def record_external_refund(
    payment_id: uuid.UUID,
    amount: Money,
    *,
    reference: str,
    operator: Principal,
    attempt_number: int | None = None,
) -> uuid.UUID:
    """Record an operator's statement that the provider refunded `amount` under its id `reference`; the refund's id.

    Raises InvalidRequest: no such amount can have been refunded, the reference is recorded already, or it is not clear
    which attempt's money it was.
    """
    refund_id = ids.uuid7()

    def work(session: Session) -> None:
        attempt_id = collecting(session, payment_id, number=attempt_number)
        locked = lock_attempt(session, attempt_id)
        _insert(
            session, locked, amount, reference=reference, source=operator.event_actor, refund_id=refund_id
        )

    transaction(work)
    return refund_id


def _unknown(session: Session, attempt: PaymentAttempt, listed: Sequence[ListedRefund]) -> list[ListedRefund]:
    """Completed refunds of the provider that no row here stands for. One with our reference is ours, unless it failed here or
    is the second with that reference."""
    rows = list(session.scalars(select(Refund).where(Refund.attempt_id == attempt.id)))
    alive = [row for row in rows if row.state != RefundState.FAILED]
    ids_known = {row.provider_reference for row in alive}
    without_id = {row.reference for row in alive if row.provider_reference is None}
    return [
        one
        for one in listed
        if one.result.state is State.SUCCEEDED
        and one.result.provider_reference not in ids_known
        and one.reference not in without_id
    ]


def _post(session: Session, locked: LockedAttempt, found: ListedRefund, *, source: str) -> None:
    amount, reference = found.result.amount, found.result.provider_reference
    if amount is None or reference is None:
        raise InvalidRequest("The provider does not say how much was refunded.")
    _insert(session, locked, amount, reference=reference, source=source, refund_id=ids.uuid7())


def _insert(
    session: Session,
    locked: LockedAttempt,
    amount: Money,
    *,
    reference: str,
    source: str,
    refund_id: uuid.UUID,
) -> None:
    payment, attempt, now = locked.payment, locked.attempt, clock.now()
    refunds = select(Refund).where(Refund.attempt_id == attempt.id)
    if session.scalars(refunds.where(Refund.state.in_(OPEN_REFUNDS)).limit(1)).first() is not None:
        raise InvalidRequest("A refund of the gateway is under way: wait until it is final.")
    known = refunds.where(Refund.provider_reference == reference, Refund.state != RefundState.FAILED)
    if session.scalars(known.limit(1)).first() is not None:
        raise InvalidRequest(f"The refund {reference} is recorded already.")
    waiting = payment_postings.unmatched_amount(session, attempt)
    _require_possible(payment, attempt, amount, waiting)
    row = Refund(
        id=refund_id,
        payment_id=payment.id,
        attempt_id=attempt.id,
        tenant_id=payment.tenant_id,
        amount=amount.amount_minor,
        currency=amount.currency,
        reason=REASON,
        origin=RefundOrigin.PROVIDER,
        is_from_suspense=waiting is not None,
        reference=f"ref-{refund_id.hex}",
        callback_token=secrets.token_urlsafe(24),
        provider_reference=reference,
        state=RefundState.COMPLETED,
        refunded_before=payment.refunded,
        inquiries=0,
        created_at=now,
        updated_at=now,
        completed_at=now,
    )
    session.add(row)
    session.flush()
    if waiting is not None:
        payment_outcomes.close_returned(session, locked, source=source, now=now)
    outcomes.record_external_refund(session, LockedRefund(payment, row, attempt), source=source, now=now)
    reviews.close_reviews(payment, {ReviewReason.REFUNDED_AT_PROVIDER}, source=source, now=now)


def _require_possible(
    payment: Payment, attempt: PaymentAttempt, amount: Money, waiting: Money | None
) -> None:
    if waiting is not None:
        if amount != waiting:
            raise InvalidRequest(
                f"{waiting} {waiting.currency} of it is in suspense: only all of it can be refunded."
            )
        return
    left = Money(payment.amount - payment.refund_reserved, payment.currency)
    if attempt.state != AttemptState.SUCCEEDED or payment.status not in REFUNDABLE:
        raise InvalidRequest(f"The payment is {payment.status}; nothing of it can have been refunded.")
    if amount.currency != left.currency or not 0 < amount.amount_minor <= left.amount_minor:
        raise InvalidRequest(f"At most {left} {left.currency} can have been refunded.", field="amount")


def collecting(session: Session, payment_id: uuid.UUID, *, number: int | None = None) -> uuid.UUID:
    """The attempt that holds the payment's money, or that of this number. Raises InvalidRequest: none, or more than one."""
    wanted = select(PaymentAttempt).where(
        PaymentAttempt.payment_id == payment_id, PaymentAttempt.state.in_(COLLECTED)
    )
    found = [one for one in session.scalars(wanted) if number in (None, one.number)]
    if not found:
        raise InvalidRequest("Nothing was collected for this payment.")
    if len(found) > 1:
        raise InvalidRequest(
            "More than one attempt collected money for this payment: say which by its number."
        )
    return found[0].id

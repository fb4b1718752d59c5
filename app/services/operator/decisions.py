"""What a person decides about a payment, after a look into the provider's portal: `flask payments …`.

Guarantees: each decision is taken once, whoever else decides or hears from the provider at the same moment; it is booked
in the transaction that takes it, and is an event with the operator as its actor.
"""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, NotFound, TransactionNotFound
from app.events.catalogue import PAYMENT_COMPLETED, PAYMENT_REVIEWED
from app.models.payment import AttemptState, Payment, PaymentAttempt, PaymentStatus, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Result, State
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import postings as payment_postings
from app.services.payments import reviews
from app.services.payments.attempts import answer_time
from app.services.payments.locks import LockedAttempt, lock_attempt, lock_payment
from app.services.payments.recording import record_payment_event
from app.services.payments.states import OPEN_ATTEMPTS, OPEN_REFUNDS, move_attempt, move_payment
from app.services.refunds import create as refund_service
from app.services.refunds import external as external_refunds
from app.services.refunds import outcomes as refund_outcomes
from app.unit_of_work import reading, transaction


def accept(payment_id: uuid.UUID, *, operator: str) -> None:
    """Money that waits in suspense is the tenant's: the payment is completed with what came.

    Raises TransactionNotFound, InvalidRequest when nothing waits, it is gone, or the payment has other money.
    """
    _require_still_there(payment_id)
    now = clock.now()

    def work(session: Session) -> None:
        payment, attempt, collected = _waiting(session, payment_id)
        if attempt.state == AttemptState.LATE:
            if _has_other_money(session, attempt):
                raise InvalidRequest(
                    "The payment was collected by another attempt: this money can only go back."
                )
            move_attempt(attempt, AttemptState.SUCCEEDED, now=now)
            session.flush()
        payment.fee = payment_postings.post_suspense_release(session, payment, attempt, collected, now=now)
        # What came is what can be refunded or taken back from now on.
        payment.amount, payment.currency = collected.amount_minor, collected.currency
        if payment.status != PaymentStatus.COMPLETED and not move_payment(
            payment, PaymentStatus.COMPLETED, now=now
        ):
            raise InvalidRequest(f"The payment is {payment.status}: this money can only go back.")
        payment.failure_code = payment.failure_reason = None
        reviews.close_reviews(payment, reviews.UNMATCHED_MONEY, source=operator, now=now)
        payment.completed_at, payment.updated_at = payment.completed_at or now, now
        record_payment_event(session, PAYMENT_COMPLETED, payment, source=operator, now=now)

    transaction(work)


def give_back(payment_id: uuid.UUID, *, operator: str) -> uuid.UUID:
    """Refund money that waits in suspense to the customer; the refund's id. Raises as `accept`."""
    refund_id = ids.uuid7()

    def work(session: Session) -> None:
        if session.get(Refund, refund_id) is not None:
            return  # committed before; only the acknowledgement was lost
        payment, attempt, collected = _waiting(session, payment_id)
        refund_service.insert(
            session, refund_id, payment, attempt, amount=collected, reason=f"Returned by {operator}",
            is_sending=False, is_from_suspense=True,
        )  # fmt: skip
        payment_outcomes.close_returned(
            session, LockedAttempt(payment, attempt), source=operator, now=clock.now()
        )
        reviews.open_review(
            session, payment, ReviewReason.RETURN_IN_PROGRESS, source=operator, now=clock.now()
        )

    transaction(work)
    return refund_id


def record_refund(
    payment_id: uuid.UUID, amount: str, *, reference: str, operator: str, attempt_number: int | None = None
) -> uuid.UUID:
    """An operator's word that `amount` (major units) was refunded in the provider's portal; the refund's id.

    reference: the provider's id of it. attempt_number: whose money it was, where two attempts collected some.
    Raises TransactionNotFound, InvalidRequest, InvalidAmount.
    """
    with reading() as session:
        payment = session.get(Payment, payment_id)
    if payment is None:
        raise TransactionNotFound
    reference = reference.strip()
    if not 0 < len(reference) <= 255 or not reference.isprintable():
        raise InvalidRequest("The reference is the provider's id of the refund, of 1 to 255 characters.")
    money = Money.parse(amount, payment.currency)
    return external_refunds.record_external_refund(
        payment_id, money, reference=reference, operator=operator, attempt_number=attempt_number
    )


def record_reversal(payment_id: uuid.UUID, *, operator: str, attempt_number: int | None = None) -> None:
    """An operator's word that the provider took back all that is left of a payment: a dispute that was lost.

    attempt_number: as record_refund. Raises TransactionNotFound, InvalidRequest.
    """

    def work(session: Session) -> None:
        payment = _locked(session, payment_id)
        if payment.refund_reserved != payment.refunded:
            raise InvalidRequest("A refund is under way: wait until it is final.")
        attempt_id = external_refunds.collecting(session, payment_id, number=attempt_number)
        locked = lock_attempt(session, attempt_id)
        if not payment_outcomes.reverse(session, locked, source=operator, now=clock.now()):
            raise InvalidRequest(f"The payment is {payment.status}: nothing of it can have been taken back.")
        about = {ReviewReason.DISPUTE, ReviewReason.REVERSED_AFTER_REFUND, ReviewReason.REFUNDED_AT_PROVIDER}
        reviews.close_reviews(payment, about, source=operator, now=clock.now())

    transaction(work)


def reviewed(payment_id: uuid.UUID, *, operator: str) -> None:
    """A person has looked at the payment, and nothing is to be done. Money in suspense stays to be decided about, and
    what is open to be ended: out of sight, nobody would.

    Raises TransactionNotFound, InvalidRequest.
    """

    def work(session: Session) -> None:
        payment = _locked(session, payment_id)
        if payment.review is None or payment.review in reviews.UNMATCHED_MONEY:
            raise InvalidRequest("Nothing that could be closed like this is open on the payment.")
        if payment.review in reviews.SETTLED_BY_ANSWER and _has_open(session, PaymentAttempt, payment_id):
            raise InvalidRequest("The payment is still open: end it with `flask payments declare`.")
        if payment.review in reviews.SETTLED_BY_REFUND and _has_open(session, Refund, payment_id):
            raise InvalidRequest("A refund is still open: end it with `flask payments declare-refund`.")
        now = clock.now()
        reviews.close_reviews(payment, {payment.review}, source=operator, now=now)
        record_payment_event(session, PAYMENT_REVIEWED, payment, source=operator, now=now)

    transaction(work)


def declare(payment_id: uuid.UUID, state: State, *, receipt: str | None, operator: str) -> Payment:
    """An operator's word on a payment nobody can be asked about: SUCCEEDED (with the provider's receipt) or FAILED.

    Raises TransactionNotFound, InvalidRequest.
    """

    def work(session: Session) -> Payment:
        payment, attempt = _with_latest_attempt(session, payment_id)
        if attempt.state not in OPEN_ATTEMPTS:
            raise InvalidRequest(f"The payment is {payment.status}; there is nothing to decide.")
        if (
            attempt.state == AttemptState.SENDING
            and clock.now() < (attempt.sent_at or attempt.created_at) + answer_time()
        ):
            raise InvalidRequest("The payment is being sent: wait a minute, its answer may settle it.")
        if state is State.SUCCEEDED and attempt.state == AttemptState.CREATED:
            raise InvalidRequest("The payment was never sent: nothing can have been collected.")
        if state is State.SUCCEEDED and not receipt:
            raise InvalidRequest("A payment is declared collected with the provider's receipt.")
        result = Result(state, receipt=receipt, code="operator", message=f"Decided by {operator}.")
        return payment_outcomes.apply_outcome(
            session, attempt.id, result, source=operator, now=clock.now()
        ).payment

    return transaction(work)


def declare_refund(refund_id: uuid.UUID, state: State, *, operator: str) -> Refund:
    """An operator's word on a refund nobody can be asked about: SUCCEEDED (the customer has it) or FAILED.

    Raises NotFound, InvalidRequest when it is final.
    """

    def work(session: Session) -> Refund:
        if session.get(Refund, refund_id) is None:
            raise NotFound("There is no such refund.")
        refund = refund_outcomes.lock_refund(session, refund_id).refund
        if refund.state not in OPEN_REFUNDS:
            raise InvalidRequest("The refund is final; there is nothing to decide.")
        if refund.state == RefundState.CREATED and state is State.SUCCEEDED:
            raise InvalidRequest("The refund was never sent: the customer cannot have it.")
        if (
            refund.state == RefundState.SENDING
            and clock.now() < (refund.sent_at or refund.created_at) + answer_time()
        ):
            # Declared failed, its amount would be free while the request is on its way.
            raise InvalidRequest("The refund is being sent: wait a minute, its answer may settle it.")
        result = Result(state, code="operator", message=f"Decided by {operator}.")
        return refund_outcomes.apply_outcome(
            session, refund_id, result, source=operator, now=clock.now()
        ).refund

    return transaction(work)


def _require_still_there(payment_id: uuid.UUID) -> None:
    """Nobody inquiry_kinds about final attempts, so the provider may have taken back meanwhile what waits. Raises InvalidRequest.

    Only its clear word counts: an operator may accept while it cannot be asked.
    """
    with reading() as session:
        payment, attempt, _ = _waiting(session, payment_id)
    outcome = payment_follow_up.inquire(payment, attempt)
    state = outcome.state if isinstance(outcome, Result) else None
    if state is State.REFUNDED:
        raise InvalidRequest(
            "The provider gave it back, or a part: compare with its portal, and record that."
        )
    if state is not State.REVERSED:
        return
    transaction(
        lambda s: payment_outcomes.apply_outcome(s, attempt.id, outcome, source="inquiry", now=clock.now())
    )
    raise InvalidRequest("The provider took this money back: there is nothing to accept.")


def _waiting(session: Session, payment_id: uuid.UUID) -> tuple[Payment, PaymentAttempt, Money]:
    """The payment, and the attempt whose money waits in suspense, with what it is."""
    payment = _locked(session, payment_id)
    attempts = select(PaymentAttempt).where(
        PaymentAttempt.payment_id == payment_id, PaymentAttempt.collected.is_not(None)
    )
    for attempt in session.scalars(attempts.order_by(PaymentAttempt.number)):
        waiting = payment_postings.unmatched_amount(session, attempt)
        if waiting is not None:
            return payment, attempt, waiting
    raise InvalidRequest("No money of this payment waits for a decision.")


def _has_other_money(session: Session, attempt: PaymentAttempt) -> bool:
    others = select(PaymentAttempt.id).where(
        PaymentAttempt.payment_id == attempt.payment_id, PaymentAttempt.id != attempt.id,
        PaymentAttempt.state.in_((*OPEN_ATTEMPTS, AttemptState.SUCCEEDED)),
    )  # fmt: skip
    return session.scalars(others.limit(1)).first() is not None


def _has_open(session: Session, model: type[PaymentAttempt | Refund], payment_id: uuid.UUID) -> bool:
    """Whether an attempt, or a refund, of the payment waits for its end."""
    wanted = select(model.id).where(model.payment_id == payment_id, model.state.in_(OPEN_ATTEMPTS))
    return session.scalars(wanted.limit(1)).first() is not None


def _with_latest_attempt(session: Session, payment_id: uuid.UUID) -> tuple[Payment, PaymentAttempt]:
    payment = _locked(session, payment_id)
    wanted = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
    return payment, session.scalars(wanted.order_by(PaymentAttempt.number.desc()).limit(1)).one()


def _locked(session: Session, payment_id: uuid.UUID) -> Payment:
    if session.get(Payment, payment_id) is None:
        raise TransactionNotFound
    return lock_payment(session, payment_id)

"""Decisions of operators about payments, made with the provider's dashboard at hand: `flask payments …`.

Guarantees: each decision takes effect once, whoever else decides or whatever the provider reports at the same moment; it is
posted to the ledger in its own transaction, and is an event with the operator as its actor.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from app import ids
from app.errors import InvalidRequest, NotFound, TransactionNotFound
from app.events.catalogue import EventType
from app.models.dispute import DisputeState
from app.models.payment import AttemptState, Payment, PaymentAttempt, PaymentStatus, Refund
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import Principal
from app.providers.base import FailureCode, ProviderResult, State
from app.services.operator.resolving import require_answered, require_open
from app.services.payments import claims, postings, reviews
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import rows as payment_rows
from app.services.payments.recording import record_completed, record_payment_event
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import (
    LIVE_ATTEMPTS,
    OPEN_ATTEMPTS,
    OPEN_REFUNDS,
    UNPAID_ATTEMPTS,
    move_attempt,
    move_payment,
)
from app.services.refunds import external as external_refunds
from app.services.refunds import outcomes as refund_outcomes
from app.services.refunds.unmatched import return_unmatched
from app.services.write_sets import store
from app.services.write_sets.store import OrderTaken


def accept_unmatched(payment_id: uuid.UUID, *, operator: Principal) -> None:
    """Release money from suspense to the tenant: the payment is completed with the amount that was collected.

    Raises TransactionNotFound; InvalidRequest: no money is in suspense, the provider has taken it back, another attempt
    has collected the payment, or another payment of its order is alive or has collected.
    """
    rows = payment_rows.read(payment_id)
    _require_not_reversed(rows)
    try:
        store.change(rows, _accept, actor=operator.event_actor)
    except OrderTaken as error:
        raise InvalidRequest(
            "Another payment of the order is alive or has collected: this money can only be refunded."
        ) from error


def _accept(writes: PaymentWrites) -> None:
    payment, now = writes.rows.payment, writes.now
    attempt, collected = _in_suspense(writes.rows)
    if attempt.state == AttemptState.LATE:
        if any(one.state in LIVE_ATTEMPTS for one in writes.rows.attempts):
            raise InvalidRequest(
                "Another attempt has collected the payment: this money can only be refunded."
            )
        move_attempt(attempt, AttemptState.SUCCEEDED, now=now)
    payment.fee = postings.post_suspense_release(writes, attempt, collected)
    # What was collected can be refunded or reversed from now on; requested_amount keeps what was asked for.
    payment.amount, payment.currency = collected.amount_minor, collected.currency
    if payment.status != PaymentStatus.COMPLETED and not move_payment(
        payment, PaymentStatus.COMPLETED, now=now
    ):
        raise InvalidRequest(f"The payment is {payment.status}: this money can only be refunded.")
    payment.failure_code = payment.failure_reason = payment.provider_failure = None
    reviews.close_reviews(writes, reviews.UNMATCHED_MONEY)
    payment.completed_at, payment.updated_at = payment.completed_at or now, now
    payment_outcomes.settle_order(writes, payment.id)
    record_completed(writes)


def refund_unmatched(payment_id: uuid.UUID, *, operator: Principal) -> uuid.UUID:
    """Refund money in suspense to the customer; returns the refund's id. Raises as `accept_unmatched`."""
    refund_id = ids.uuid7()

    def decide(writes: PaymentWrites) -> None:
        attempt, collected = _in_suspense(writes.rows)
        return_unmatched(writes, refund_id, attempt, collected)

    store.change(payment_rows.read(payment_id), decide, actor=operator.event_actor)
    return refund_id


def record_refund(
    payment_id: uuid.UUID,
    amount: str,
    *,
    reference: str,
    operator: Principal,
    attempt_number: int | None = None,
) -> uuid.UUID:
    """Record that `amount`, in major units of the currency that was collected, was refunded in the provider's dashboard.

    Returns the refund's id.

    reference: the provider's id of it. attempt_number: whose money it was, where two attempts collected some.
    Raises TransactionNotFound, InvalidRequest, InvalidAmount.
    """
    collected = external_refunds.collecting(
        payment_rows.read(payment_id), number=attempt_number
    ).collected_money
    if collected is None:
        raise InvalidRequest("Nothing was collected for this payment.")
    reference = reference.strip()
    if not 0 < len(reference) <= 255 or not reference.isprintable():
        raise InvalidRequest("The reference is the provider's id of the refund, of 1 to 255 characters.")
    money = Money.parse(amount, collected.currency)
    return external_refunds.record_external_refund(
        payment_id, money, reference=reference, operator=operator, attempt_number=attempt_number
    )


def record_reversal(payment_id: uuid.UUID, *, operator: Principal, attempt_number: int | None = None) -> None:
    """Record that the provider reversed all that is left of a payment, after a lost dispute for example.

    attempt_number: as record_refund. Raises TransactionNotFound, InvalidRequest.
    """

    def decide(writes: PaymentWrites) -> None:
        payment = writes.rows.payment
        if payment.refund_reserved != payment.refunded:
            raise InvalidRequest("A refund is under way: wait until it is final.")
        if writes.rows.has_dispute(DisputeState.OPEN, DisputeState.LOST):
            raise InvalidRequest("A dispute of the payment is posted as the provider reports it.")
        attempt = external_refunds.collecting(writes.rows, number=attempt_number)
        if not payment_outcomes.reverse(writes, attempt):
            raise InvalidRequest(f"The payment is {payment.status}: nothing of it can have been reversed.")
        about = {ReviewReason.DISPUTE, ReviewReason.REVERSED_AFTER_REFUND, ReviewReason.REFUNDED_AT_PROVIDER}
        reviews.close_reviews(writes, about)

    store.change(payment_rows.read(payment_id), decide, actor=operator.event_actor)


def close_review(payment_id: uuid.UUID, *, operator: Principal, reason: ReviewReason | None = None) -> None:
    """Close a review that needs no other decision. reason: which one, where several are open.

    Raises TransactionNotFound, InvalidRequest: nothing is open, several are, or only another decision closes it. Money in
    suspense must be decided about, and what is open must be ended.
    """

    def decide(writes: PaymentWrites) -> None:
        chosen = _chosen(writes.rows.payment.open_reviews, reason)
        _require_closable(writes.rows, chosen)
        reviews.close_reviews(writes, {chosen})
        record_payment_event(writes, EventType.PAYMENT_REVIEWED)

    store.change(payment_rows.read(payment_id), decide, actor=operator.event_actor)


def _chosen(open_reviews: Sequence[ReviewReason], reason: ReviewReason | None) -> ReviewReason:
    if reason is not None and reason not in open_reviews:
        raise InvalidRequest(f"The payment has no open review {reason}.")
    if reason is None and len(open_reviews) != 1:
        listed = ", ".join(open_reviews)
        raise InvalidRequest(
            f"Several reviews are open ({listed}): name one with --reason."
            if listed
            else "No review is open."
        )
    return reason or open_reviews[0]


def _require_closable(rows: PaymentRows, reason: ReviewReason) -> None:
    if reason in reviews.UNMATCHED_MONEY:
        raise InvalidRequest("The money is in suspense: decide with accept-unmatched or refund-unmatched.")
    if reason in reviews.SETTLED_BY_ANSWER and any(one.state in OPEN_ATTEMPTS for one in rows.attempts):
        raise InvalidRequest("The payment is still open: end it with `flask payments resolve`.")
    if reason in reviews.SETTLED_BY_REFUND and any(one.state in OPEN_REFUNDS for one in rows.refunds):
        raise InvalidRequest("A refund is still open: end it with `flask payments resolve-refund`.")


def resolve_payment(
    payment_id: uuid.UUID, state: State, *, receipt: str | None, operator: Principal
) -> Payment:
    """End a payment that the provider cannot be queried about: SUCCEEDED (with the provider's receipt) or FAILED.

    One that has failed or was cancelled can be resolved as SUCCEEDED: the money goes to suspense, as late money does that the
    provider reports. One that was collected and has no receipt gets it, so that it can be refunded.
    Raises TransactionNotFound, InvalidRequest.
    """

    def decide(writes: PaymentWrites) -> None:
        attempt = writes.rows.latest_attempt
        _require_resolvable(writes.rows.payment, attempt, state, receipt)
        if attempt.state == AttemptState.SUCCEEDED:
            if not payment_outcomes.keep_receipt(writes, attempt, receipt or ""):
                raise InvalidRequest("This receipt is another payment's.")
            return
        result = ProviderResult(
            state,
            receipt=receipt,
            code="operator",
            message=f"Decided by {operator.event_actor}.",
            failure=FailureCode.NOT_PAID,
        )
        claims.forget_claim(attempt)
        payment_outcomes.decide(writes, attempt, result)

    return store.change(payment_rows.read(payment_id), decide, actor=operator.event_actor).rows.payment


def _require_resolvable(payment: Payment, attempt: PaymentAttempt, state: State, receipt: str | None) -> None:
    is_paid = state is State.SUCCEEDED
    lacks_receipt = attempt.state == AttemptState.SUCCEEDED and attempt.receipt is None
    may_be_paid = is_paid and (attempt.state in UNPAID_ATTEMPTS or lacks_receipt)
    if attempt.state not in OPEN_ATTEMPTS and not may_be_paid:
        raise InvalidRequest(f"The payment is {payment.status}; there is nothing to decide.")
    require_answered(attempt, "payment")
    if is_paid and attempt.sent_at is None:
        raise InvalidRequest("The payment was never sent: nothing can have been collected.")
    if is_paid and not receipt:
        raise InvalidRequest("A payment is resolved as paid with the provider's receipt (--receipt).")


def resolve_refund(refund_id: uuid.UUID, state: State, *, operator: Principal) -> Refund:
    """End a refund that the provider cannot be queried about: SUCCEEDED (the customer has the money) or FAILED.

    Raises NotFound, InvalidRequest when it is final.
    """

    def decide(writes: PaymentWrites) -> None:
        refund = writes.rows.refund(refund_id)
        is_open = refund.state in OPEN_REFUNDS
        require_open(refund, state, is_open=is_open, noun="refund", recipient="customer")
        result = ProviderResult(
            state,
            code="operator",
            message=f"Decided by {operator.event_actor}.",
            failure=FailureCode.NOT_PAID,
        )
        refund_outcomes.decide(writes, refund_id, result)

    try:
        rows = payment_rows.read(refund_id=refund_id)
    except TransactionNotFound as error:
        raise NotFound("There is no such refund.") from error
    return store.change(rows, decide, actor=operator.event_actor).rows.refund(refund_id)


def _require_not_reversed(rows: PaymentRows) -> None:
    """Final attempts are not queried, so the provider may have reversed what is in suspense. Raises InvalidRequest.

    Only its clear answer counts: an operator may accept while the provider cannot be queried.
    """
    attempt, _ = _in_suspense(rows)
    outcome = payment_follow_up.inquire(rows.payment, attempt)
    state = outcome.state if isinstance(outcome, ProviderResult) else None
    if state is State.REFUNDED:
        raise InvalidRequest(
            "The provider has refunded it, or a part: compare with its dashboard, and record that."
        )
    if state is not State.REVERSED:
        return
    store.change(
        rows,
        lambda writes: payment_outcomes.decide(writes, writes.rows.attempt(attempt.id), outcome),
        actor="inquiry",
    )
    raise InvalidRequest("The provider reversed this payment: there is nothing to accept.")


def _in_suspense(rows: PaymentRows) -> tuple[PaymentAttempt, Money]:
    """The attempt whose money is in suspense, with the amount."""
    for attempt in rows.attempts:
        waiting = postings.unmatched_amount(rows, attempt)
        if waiting is not None:
            return attempt, waiting
    raise InvalidRequest("No money of this payment waits for a decision.")

"""External refunds: made in the provider's dashboard or with its API, not by the gateway. They are posted like any other.

Guarantees: the provider's own list decides, not the callback; an external refund is posted once; where it is not clear which
refund is whose, nothing is posted and a review is opened (`refunded_at_provider`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from app import ids
from app.errors import InvalidRequest
from app.models.payment import AttemptState, Payment, PaymentAttempt, Refund, RefundOrigin, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import Principal
from app.providers.base import ListedRefund, State
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import postings, reviews
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import charge_reference
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import COLLECTED, OPEN_REFUNDS, REFUNDABLE
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import callback_tokens
from app.services.refunds import outcomes
from app.services.write_sets import store
from app.services.write_sets.rows import new_row

REASON: Final = "Refunded at the provider, not through the gateway."


def import_external_refunds(rows: PaymentRows, attempt_id: uuid.UUID, *, source: str) -> bool:
    """Post what the provider lists and the gateway does not know; whether there was any. Raises ProviderError."""
    attempt = rows.attempt(attempt_id)
    provider = provider_accounts.of_attempt(attempt)
    listed = provider.refunds_of(charge_reference(rows.payment, attempt, provider))
    is_clear = True

    def decide(writes: PaymentWrites) -> bool:
        found = _unknown(writes.rows, attempt_id, listed)
        if not is_clear:
            reviews.open_review(writes, ReviewReason.REFUNDED_AT_PROVIDER)
            return bool(found)
        for one in found:
            _post(writes, attempt_id, one)
        return bool(found)

    try:
        return store.change(rows, decide, actor=source).result
    except InvalidRequest:
        # It is not clear which refund is whose: none of them is posted.
        is_clear = False
        return store.change(payment_rows.read(rows.payment.id), decide, actor=source).result


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

    def decide(writes: PaymentWrites) -> None:
        attempt = collecting(writes.rows, number=attempt_number)
        _insert(writes, attempt, amount, reference=reference, refund_id=refund_id)

    store.change(payment_rows.read(payment_id), decide, actor=operator.event_actor)
    return refund_id


def _unknown(rows: PaymentRows, attempt_id: uuid.UUID, listed: Sequence[ListedRefund]) -> list[ListedRefund]:
    """Completed refunds of the provider that no row here stands for. One with our reference is ours, unless it failed here or
    is the second with that reference."""
    refunds = rows.refunds_of(rows.attempt(attempt_id))
    alive = [refund for refund in refunds if refund.state != RefundState.FAILED]
    ids_known = {refund.provider_reference for refund in alive}
    without_id = {refund.reference for refund in alive if refund.provider_reference is None}
    return [
        one
        for one in listed
        if one.result.state is State.SUCCEEDED
        and one.result.provider_reference not in ids_known
        and one.reference not in without_id
    ]


def _post(writes: PaymentWrites, attempt_id: uuid.UUID, found: ListedRefund) -> None:
    amount, reference = found.result.amount, found.result.provider_reference
    if amount is None or reference is None:
        raise InvalidRequest("The provider does not say how much was refunded.")
    _insert(writes, writes.rows.attempt(attempt_id), amount, reference=reference, refund_id=ids.uuid7())


def _insert(
    writes: PaymentWrites, attempt: PaymentAttempt, amount: Money, *, reference: str, refund_id: uuid.UUID
) -> None:
    payment, now = writes.rows.payment, writes.now
    refunds = writes.rows.refunds_of(attempt)
    if any(refund.state in OPEN_REFUNDS for refund in refunds):
        raise InvalidRequest("A refund of the gateway is under way: wait until it is final.")
    if any(one.provider_reference == reference and one.state != RefundState.FAILED for one in refunds):
        raise InvalidRequest(f"The refund {reference} is recorded already.")
    waiting = postings.unmatched_amount(writes.rows, attempt)
    _require_possible(payment, attempt, amount, waiting)
    refund = new_row(
        Refund,
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
        callback_token=callback_tokens.new_digest(refund_id),
        provider_reference=reference,
        state=RefundState.COMPLETED,
        refunded_before=payment.refunded,
        inquiries=0,
        created_at=now,
        updated_at=now,
        completed_at=now,
    )
    writes.rows.refunds.append(refund)
    if waiting is not None:
        payment_outcomes.close_returned(writes, attempt)
    outcomes.record_external_refund(writes, refund)
    reviews.close_reviews(writes, {ReviewReason.REFUNDED_AT_PROVIDER})


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


def collecting(rows: PaymentRows, *, number: int | None = None) -> PaymentAttempt:
    """The attempt that holds the payment's money, or that of this number. Raises InvalidRequest: none, or more than one."""
    collected = [attempt for attempt in rows.attempts if attempt.state in COLLECTED]
    found = [attempt for attempt in collected if number in (None, attempt.number)]
    if not found:
        raise InvalidRequest("Nothing was collected for this payment.")
    if len(found) > 1:
        raise InvalidRequest(
            "More than one attempt collected money for this payment: say which by its number."
        )
    return found[0]

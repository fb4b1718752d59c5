"""Verify and cancel a payment."""

from __future__ import annotations

import uuid
from dataclasses import replace

from app import clock
from app.errors import NotCancellable, ProviderUnreachable, TransactionNotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.models.payment import AttemptState, Payment, PaymentStatus
from app.principal import Principal
from app.providers.base import FailureCode, ProviderResult, State
from app.providers.errors import NO_PROVIDER_ID, NotSupported, OutcomeUnknown, ProviderError
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import outcomes
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import charge_reference
from app.services.payments.read import latest_attempt, owned
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import FINAL_PAYMENTS, OPEN_ATTEMPTS
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.write_sets import store
from app.unit_of_work import reading, transaction


def verify(merchant: Principal, payment_id: uuid.UUID, *, ends_failed_try: bool = False) -> Payment:
    """The payment after querying the provider; a final one as it is.

    ends_failed_try: where the customer's last try has failed, and the provider's page takes another, the page is closed; the
    payment has failed then, unless it was paid meanwhile. Raises TransactionNotFound, ProviderUnreachable.
    """
    with reading() as session:
        payment = owned(session, merchant.tenant_id, payment_id)
        attempt = latest_attempt(session, payment_id)
    if payment.status in FINAL_PAYMENTS or attempt is None:
        return payment
    try:
        with bulkhead.required_slot(attempt.provider):
            polled = payment_follow_up.poll(attempt.id)
            if ends_failed_try and polled.failed_try is not None:
                return _end(polled.rows, attempt.id, polled.failed_try, merchant)
            return polled.rows.payment
    except ProviderError as error:
        if isinstance(error, OutcomeUnknown) and error.code == NO_PROVIDER_ID:
            return payment
        _verification_failed(payment, merchant)
        raise ProviderUnreachable from error


def cancel(merchant: Principal, payment_id: uuid.UUID) -> Payment:
    """Cancel a payment that was not paid. Raises TransactionNotFound, NotCancellable, ProviderUnreachable."""
    rows = payment_rows.read(payment_id)
    payment, attempt = rows.payment, rows.latest_attempt
    if payment.tenant_id != merchant.tenant_id:
        raise TransactionNotFound
    if payment.status == PaymentStatus.CANCELLED:
        return payment
    if attempt.state not in OPEN_ATTEMPTS:
        raise NotCancellable(f"Cannot cancel a payment with status {payment.status}.")
    if attempt.state == AttemptState.CREATED:
        return store.change(rows, lambda w: _cancel_unsent(w, attempt.id), actor=merchant).rows.payment
    provider = provider_accounts.of_attempt(attempt)
    if not provider.capabilities.can_cancel:
        raise NotCancellable(f"{provider.title} cannot cancel a payment that was requested.")
    try:
        with bulkhead.required_slot(attempt.provider):
            outcome = provider.cancel(charge_reference(payment, attempt, provider))
    except NotSupported as error:
        raise NotCancellable from error
    except ProviderError as error:
        raise ProviderUnreachable from error
    after = store.change(
        rows, lambda w: outcomes.decide(w, w.rows.attempt(attempt.id), outcome), actor=merchant
    ).rows.payment
    if after.status != PaymentStatus.CANCELLED:
        raise NotCancellable(f"Cannot cancel a payment with status {after.status}.")
    return after


def _end(
    rows: PaymentRows, attempt_id: uuid.UUID, failed_try: ProviderResult, merchant: Principal
) -> Payment:
    """Close the provider's page after a failed try; a page that the provider does not close stays open. Raises ProviderError."""
    attempt = rows.attempt(attempt_id)
    provider = provider_accounts.of_attempt(attempt)
    if not provider.capabilities.can_cancel:
        return rows.payment
    outcome = provider.cancel(charge_reference(rows.payment, attempt, provider))
    if outcome.state is State.CANCELLED:
        outcome = replace(failed_try, state=State.FAILED, has_failed_try=False)
    return store.change(
        rows, lambda w: outcomes.decide(w, w.rows.attempt(attempt_id), outcome), actor=merchant
    ).rows.payment


def _cancel_unsent(writes: PaymentWrites, attempt_id: uuid.UUID) -> None:
    attempt = writes.rows.attempt(attempt_id)
    if attempt.state != AttemptState.CREATED:
        raise NotCancellable("The payment is being sent; try again.")
    result = ProviderResult(
        State.CANCELLED,
        code=FailureCode.CANCELLED,
        message="Cancelled by the merchant.",
        failure=FailureCode.CANCELLED,
    )
    outcomes.decide(writes, attempt, result)


def _verification_failed(payment: Payment, merchant: Principal) -> None:
    # A customer's page may read it, so it is no sentence of the provider's; the call's log has that.
    data = payment_payload(payment) | {"error": ProviderUnreachable.default_message}
    transaction(
        lambda session: outbox.record(
            session,
            EventType.PAYMENT_VERIFICATION_FAILED,
            object_id=str(payment.id),
            data=data,
            now=clock.now(),
            actor=merchant,
            tenant_id=payment.tenant_id,
        )
    )

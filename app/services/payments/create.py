"""Initialize a payment."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog

from app import clock, ids
from app.errors import GatewayError, IdempotencyConflict, InvalidRequest
from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.json_text import json_text
from app.models.idempotency import IdempotencyRecord
from app.models.payment import MadeBy, Payment, PaymentStatus, SaveMethod
from app.money import Money
from app.principal import Principal
from app.providers import NAMES
from app.providers.base import Customer
from app.providers.errors import NOTHING_HAPPENED, OutcomeUnknown
from app.services import reference_data
from app.services.idempotency_service import Answer, Claim, judge, replayed
from app.services.payments import outcomes
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import add_attempt, charge_in_process, send
from app.services.payments.routing import AUTO, route
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import FINAL_PAYMENTS
from app.services.provider_access import bulkhead
from app.services.provider_access.accounts import BoundProvider
from app.services.provider_operations import Outcome, answer_time
from app.services.reference_data import ReferenceData
from app.services.tenants import api_keys
from app.services.write_sets import store
from app.services.write_sets.rows import new_row
from app.services.write_sets.store import KeyKnown, ReferenceChanged, ReferenceTaken

log = structlog.get_logger("payments")


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """phone: E.164. id: the merchant's own id of the customer."""

    phone: str | None = None
    id: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a merchant asks for. provider: a name, `visa` or `auto`. amount: in major units, as Money.parse takes it.
    description: for the customer. reference: the merchant's own, which several payments may have. order_id: the order that it
    pays. saved_details: of the customer's saved method at the named provider, which is charged. save_method: save what is paid
    with for the order's customer. payment_method: what the customer pays with, where the merchant says so.
    api: by which API it is made. attempt_reference: what its first attempt is called at the provider, unique for ever; None: a
    reference is made for it."""

    provider: str
    amount: object
    currency: str
    customer: CustomerDetails
    metadata: Mapping[str, Any] | None = None
    return_url: str | None = None
    description: str | None = None
    reference: str | None = None
    order_id: uuid.UUID | None = None
    saved_details: Mapping[str, str] | None = field(default=None, repr=False)
    save_method: SaveMethod | None = None
    payment_method: str | None = None
    api: MadeBy = MadeBy.GATEWAY
    attempt_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Initialized:
    """What `initialize` led to: the payment, `failed` where the provider refused. was_reached: whether a provider was reached.
    is_new: False where it was there before (an order's)."""

    payment: Payment
    was_reached: bool = True
    is_new: bool = True


def initialize(merchant: Principal, request: PaymentRequest, claim: Claim) -> Answer:
    """Request a payment from a customer. The claim presents an `Initialized`.

    Raises InvalidAmount, UnsupportedCurrency, InvalidRequest, InvalidApiKey, OrderTaken (nothing stored), and what `judge`
    raises.
    """
    amount = Money.parse(request.amount, request.currency)
    request = _with_saved_method(request)
    for _ in range(store.MAX_TRIES):
        reference = reference_data.current()
        try:
            return _initialize(merchant, request, amount, claim, reference)
        except ReferenceChanged:
            # By what was remembered the key was good, or the provider configured, that no longer is.
            reference_data.renew()
        except ReferenceTaken:
            # The id that a provider in this process made for the attempt is another's: the next attempt has another.
            log.warning("payment.reference_taken", provider=request.provider)
        except GatewayError:
            # A refusal by old data is none: the provider may have been configured since.
            if reference_data.latest() is reference:
                raise
    raise IdempotencyConflict("The tenant's settings are being changed; try again.", retry_after_s=1)


def _with_saved_method(request: PaymentRequest) -> PaymentRequest:
    """The request with the saved method as its provider charges it. Raises InvalidRequest."""
    adapter = NAMES.get(request.provider)
    if request.saved_details is None:
        if request.save_method is not None and adapter is not None:
            adapter.require_saved_method()
        return request
    if adapter is None:
        raise InvalidRequest("A saved method is charged at its own provider.", field="provider")
    details = adapter.read_method(request.saved_details)
    payer = adapter.payer(_customer(request.customer), details)
    customer = replace(request.customer, phone=payer.phone, email=payer.email, name=payer.name)
    return replace(request, customer=customer, saved_details=details)


def _initialize(
    merchant: Principal,
    request: PaymentRequest,
    amount: Money,
    claim: Claim,
    reference: ReferenceData,
) -> Answer:
    """Raises ReferenceChanged: nothing was stored."""
    api_keys.require_good(merchant, reference)
    bounds = route(merchant.tenant_id, request.provider, amount, _customer(request.customer))
    first, stored = bounds[0], _StoredAnswer(claim)
    with ExitStack() as slots:
        has_slot = slots.enter_context(bulkhead.slot(first.provider.name))
        payment = _new_payment(merchant, request, amount, first, claim)
        writes = PaymentWrites(PaymentRows(payment, []), reference, payment.created_at, merchant)
        attempt_id = _begin(writes, first, claim, request.attempt_reference, is_sending=has_slot)
        if not has_slot:
            # The attempt's job sends it. The caller gets the payment as it is now.
            outcomes.mark_processing(writes)
            stored(writes, OutcomeUnknown(code="queued"))
        is_in_process = has_slot and first.provider.is_in_process and len(bounds) == 1
        if is_in_process:
            _charge_in_process(writes, attempt_id, stored)
        try:
            rows = store.apply(writes)
        except KeyKnown as known:
            return known_answer(known.record, claim)
        if has_slot and not is_in_process:
            rows.payment.payment_metadata = _as_stored(rows.payment.payment_metadata)
            send(rows, attempt_id, bounds[1:], finish=stored, release_slot=slots.close)
    return stored.answer


def _new_payment(
    merchant: Principal, request: PaymentRequest, amount: Money, bound: BoundProvider, claim: Claim
) -> Payment:
    now = clock.now()
    return new_row(
        Payment,
        id=ids.uuid7(),
        tenant_id=merchant.tenant_id,
        idempotency_key=claim.key,
        provider=bound.provider.name if request.provider == AUTO else request.provider,
        payment_method=request.payment_method or request.provider,
        return_url=request.return_url,
        description=request.description,
        reference=request.reference,
        amount=amount.amount_minor,
        currency=amount.currency,
        requested_amount=amount.amount_minor,
        requested_currency=amount.currency,
        status=PaymentStatus.PENDING,
        customer_id=request.customer.id,
        customer_phone=request.customer.phone,
        customer_email=request.customer.email,
        customer_name=request.customer.name,
        payment_metadata=None if request.metadata is None else dict(request.metadata),
        api=request.api,
        order_id=request.order_id,
        saved_details=None if request.saved_details is None else dict(request.saved_details),
        save_method=request.save_method,
        refund_reserved=0,
        refunded=0,
        created_at=now,
        updated_at=now,
    )


def _begin(
    writes: PaymentWrites, bound: BoundProvider, claim: Claim, reference: str | None, *, is_sending: bool
) -> uuid.UUID:
    """What is stored before the first byte is sent; the attempt's id."""
    payment = writes.rows.payment
    writes.claim(claim, resource_id=payment.id, lease=answer_time() + timedelta(seconds=15))
    attempt = add_attempt(writes, bound, is_sending=is_sending, reference=reference)
    writes.record(EventType.PAYMENT_INITIATED, payment_payload(payment))
    log.info(
        EventType.PAYMENT_INITIATED,
        payment=str(payment.id),
        provider=payment.provider,
        attempt=str(attempt.id),
    )
    return attempt.id


def _charge_in_process(writes: PaymentWrites, attempt_id: uuid.UUID, stored: _StoredAnswer) -> None:
    payment = writes.rows.payment
    given, payment.payment_metadata = payment.payment_metadata, _as_stored(payment.payment_metadata)
    charge_in_process(writes, attempt_id, stored)
    payment.payment_metadata = given  # what is stored keeps every digit


class _StoredAnswer:
    """Presents the payment to its merchant, and stores that as the key's answer."""

    answer: Answer

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __call__(self, writes: PaymentWrites, outcome: Outcome) -> None:
        payment = writes.rows.payment
        self.answer = self._claim.present(
            Initialized(payment, was_reached=not isinstance(outcome, NOTHING_HAPPENED))
        )
        writes.answer(self._claim, self.answer, resource_id=payment.id)


def known_answer(record: IdempotencyRecord, claim: Claim) -> Answer:
    """The answer of a key that was claimed before. Where there is none, or none any more, the payment as it is now. Raises what
    `judge` raises."""
    known = judge(record, claim, now=clock.now())
    if isinstance(known, Answer):
        return known
    rows = payment_rows.read(known.resource_id)
    answer = replayed(claim, Initialized(rows.payment))
    if rows.payment.status in FINAL_PAYMENTS:
        store.change(rows, lambda writes: _StoredAnswer(claim)(writes, OutcomeUnknown()), actor="system")
    return answer


def _as_stored(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    """As whoever reads the payment again gets it: without Decimals."""
    return None if metadata is None else json.loads(json_text(metadata))


def _customer(details: CustomerDetails) -> Customer:
    return Customer(details.phone, details.email, details.name)

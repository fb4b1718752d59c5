"""Payments and refunds of the Processing API (document 003)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from flask import Response

from app import ids
from app.api.processing.blueprint import Blueprint
from app.api.processing.coded import Coded
from app.api.processing.schemas.fields import NoFields
from app.api.processing.schemas.payments import (
    ProcessingPayment,
    ProcessingPaymentQuery,
    ProcessingPaymentRequest,
    ProcessingPayments,
    ProcessingRefund,
    ProcessingRefundRequest,
    ProcessingStatus,
)
from app.api.processing.views import created, payment_list, payment_view, refunded, status_view
from app.errors import (
    InsufficientBalance,
    InvalidAmount,
    InvalidApiKey,
    InvalidParameters,
    InvalidRequest,
    NotCancellable,
    NotInThisState,
    NotRefundable,
    ProviderNotConfigured,
    ProviderUnreachable,
    TestDataReset,
    TransactionNotFound,
)
from app.http.guards import current_principal, look_up_again
from app.http.idempotency import claim
from app.http.operation import OPTIONAL, operation
from app.http.responses import respond
from app.models.payment import MadeBy, Payment
from app.money import Money
from app.providers import MOCK
from app.services import payment_service
from app.services.idempotency_service import Answer
from app.services.pages import PageRequest
from app.services.payment_service import CustomerDetails, PaymentFilter, PaymentRequest
from app.services.payments.states import FINAL_PAYMENTS, REFUNDABLE
from app.services.refunds.create import create_refund

MAX_ID: Final = 64
"""Characters of an id that an error repeats."""

Route = TypeVar("Route", bound=Callable[..., Any])

blueprint = Blueprint("processing_payments", __name__, description="Payments and refunds.")


@blueprint.route("/payments", methods=["POST"])
@operation("processing_payments_create", key=OPTIONAL, errors=[InvalidParameters, ProviderNotConfigured])
@blueprint.arguments(ProcessingPaymentRequest)
@blueprint.response(201, ProcessingPayment)
@blueprint.alt_response(200, schema=ProcessingPayment, description="The answer of an earlier request.")
@blueprint.alt_response(402, schema=ProcessingPayment, description="The payment failed; it is kept.")
def create(body: dict[str, Any]) -> Response:
    """Take a payment

    A repeat of the `Idempotency-Key` with the same body answers 200 with the first payment, or again 402.
    """
    request = PaymentRequest(
        provider=MOCK,
        amount=body["amount"],
        currency=body["currency"],
        customer=CustomerDetails(email=body["customer_email"]),
        metadata=body.get("metadata"),
        description=body["description"],
        payment_method=body["payment_method"],
        api=MadeBy.PROCESSING,
    )
    try:
        answer = payment_service.initialize(current_principal(), request, claim(body, created))
    except (InvalidApiKey, TestDataReset):
        # What was remembered of the caller does not hold any more.
        answer = payment_service.initialize(look_up_again(), request, claim(body, created))
    return _respond(answer)


@blueprint.route("/payments")
@operation("processing_payments_list", errors=[InvalidParameters])
@blueprint.arguments(ProcessingPaymentQuery, location="query")
@blueprint.response(200, ProcessingPayments)
def list_all(query: dict[str, Any]) -> Response:
    """The payments of this API, newest first"""
    reader = current_principal()
    request = PageRequest(query["per_page"], (query["page"] - 1) * query["per_page"])
    wanted = PaymentFilter(
        api=MadeBy.PROCESSING,
        status=query.get("status"),
        currency=query["currency"].upper() if "currency" in query else None,
        created_from=reader.reset_at,
    )
    return respond(payment_list(payment_service.list_payments(reader, request, wanted), request))


@blueprint.route("/payments/<payment_id>")
@operation("processing_payments_get", errors=[InvalidRequest, TransactionNotFound])
@blueprint.response(200, ProcessingPayment)
def get(payment_id: str) -> Response:
    """One payment"""
    return respond(payment_view(_find(payment_id)))


@blueprint.route("/payments/<payment_id>/status")
@operation("processing_payments_get_status", errors=[InvalidRequest, TransactionNotFound])
@blueprint.response(200, ProcessingStatus)
def get_status(payment_id: str) -> Response:
    """Where a payment stands"""
    return respond(status_view(_find(payment_id)))


@blueprint.route("/payments/<payment_id>/cancel", methods=["POST"])
@operation(
    "processing_payments_cancel",
    errors=[TransactionNotFound, NotInThisState, InvalidParameters, ProviderUnreachable],
)
@blueprint.arguments(NoFields)
@blueprint.response(200, ProcessingPayment)
def cancel(body: dict[str, Any], payment_id: str) -> Response:
    """Cancel a payment that is pending or processing"""
    payment = _find(payment_id)
    if payment.status in FINAL_PAYMENTS:
        raise _not_cancellable(payment_id, payment)
    try:
        cancelled = payment_service.cancel(current_principal(), payment.id)
    except NotCancellable:
        raise _not_cancellable(payment_id, _find(payment_id)) from None
    return respond(payment_view(cancelled))


def _not_cancellable(payment_id: str, payment: Payment) -> NotInThisState:
    return NotInThisState(f"Payment '{payment_id}' cannot be cancelled. Current status: '{payment.status}'.")


def _in_order(route: Route) -> Route:
    """The order of refusals: unknown, not refundable, not valid, more than is left. Goes above `arguments`."""

    @wraps(route)
    def checked(payment_id: str) -> Any:
        try:
            return route(payment_id=payment_id)
        except InvalidParameters:
            payment = _find(payment_id)
            if payment.status not in REFUNDABLE:
                raise _not_refundable(payment_id, payment) from None
            raise
        except NotRefundable as error:
            raise _not_refundable(payment_id, _find(payment_id), replayed=error.replayed) from None

    return cast(Route, checked)


def _not_refundable(payment_id: str, payment: Payment, *, replayed: bool = False) -> NotInThisState:
    return NotInThisState(
        f"Payment '{payment_id}' cannot be refunded. Current status: '{payment.status}'.", replayed=replayed
    )


@blueprint.route("/payments/<payment_id>/refund", methods=["POST"])
@operation(
    "processing_refunds_create",
    key=OPTIONAL,
    errors=[TransactionNotFound, NotInThisState, InvalidParameters, InvalidAmount, InsufficientBalance],
)
@_in_order
@blueprint.arguments(ProcessingRefundRequest)
@blueprint.response(201, ProcessingRefund)
@blueprint.alt_response(200, schema=ProcessingRefund, description="The answer of an earlier request.")
@blueprint.alt_response(402, schema=ProcessingRefund, description="The provider refused it.")
def refund(body: dict[str, Any], payment_id: str) -> Response:
    """Refund all that is left of a payment, or `amount` of it"""
    payment = _find(payment_id)
    if "amount" in body:
        try:
            Money.parse(body["amount"], payment.currency)
        except InvalidAmount as error:
            refused = {"amount": [Coded("invalid_value", error.message)]}
            raise InvalidParameters(details={"fields": refused}) from None
    answer = create_refund(
        current_principal(),
        payment.id,
        amount=body.get("amount"),
        reason=body.get("reason"),
        claim=claim(body, refunded),
    )
    return _respond(answer)


def _respond(answer: Answer) -> Response:
    """A repeat made nothing, so it is 200 where the first was 201."""
    status = 200 if answer.replayed and answer.status == 201 else answer.status
    return respond(answer.body, status, replayed=answer.replayed)


def _find(payment_id: str) -> Payment:
    """Raises InvalidRequest: no id of a payment; TransactionNotFound: none of this tenant's that this API made."""
    if not payment_id.startswith(ids.PROCESSING_PAYMENT):
        raise InvalidRequest(f"A payment's id begins with '{ids.PROCESSING_PAYMENT}'.", field="payment_id")
    between, reader = ids.of_short(ids.PROCESSING_PAYMENT, payment_id), current_principal()
    try:
        if between is None:
            raise TransactionNotFound
        return payment_service.find_payment(reader, between, api=MadeBy.PROCESSING, since=reader.reset_at)
    except TransactionNotFound:
        raise TransactionNotFound(f"Payment '{payment_id[:MAX_ID]}' not found.") from None

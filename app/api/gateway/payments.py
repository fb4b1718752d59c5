"""Payments through providers: initialise, read, verify, refund, cancel (docs/api/gateway.md)."""

from __future__ import annotations

import uuid
from typing import Any, Final

from flask import Response

from app.api.gateway.idempotency_key import requires_key
from app.api.gateway.schemas.payments import (
    DisputeListAnswer,
    EitherPayment,
    FailedInitializeAnswer,
    FailedTransactionAnswer,
    InitializedAnswer,
    InitializeRequest,
    ProviderListAnswer,
    RefundListAnswer,
    RefundRequest,
    TransactionAnswer,
)
from app.api.gateway.views import (
    dispute_view,
    initialized,
    payment_view,
    provider_view,
    refund_view,
    refunded,
    transaction,
)
from app.errors import (
    InsufficientBalance,
    InvalidAmount,
    NotCancellable,
    NotRefundable,
    ProviderNotConfigured,
    ProviderUnreachable,
    TransactionNotFound,
    UnsupportedCurrency,
)
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.idempotency import claim
from app.http.operation import REQUIRED, operation
from app.http.responses import respond
from app.http.schema import Nothing
from app.services import payment_service
from app.services.payment_service import CustomerDetails, PaymentRequest
from app.services.payments.read import list_disputes as disputes_of
from app.services.realtime.tokens import realtime_token
from app.services.refunds.create import create_refund
from app.services.refunds.create import list_refunds as refunds_of

blueprint = Blueprint("provider_payments", __name__, description="Payments through providers.")

_AT_PROVIDER: Final = (TransactionNotFound, ProviderNotConfigured, ProviderUnreachable)


@blueprint.route("/payments/initialize", methods=["POST"])
@operation(
    "payments_initialize", key=REQUIRED, errors=[InvalidAmount, UnsupportedCurrency, ProviderNotConfigured]
)
@requires_key
@blueprint.arguments(InitializeRequest)
@blueprint.response(201, InitializedAnswer)
@blueprint.alt_response(402, schema=FailedInitializeAnswer, description="The provider refused it.")
@blueprint.alt_response(502, schema=FailedInitializeAnswer, description="The provider was not reached.")
def initialize_payment(body: dict[str, Any]) -> Response:
    """Request a payment from a customer. 402: the provider refused; 502: it could not be reached. Nothing was taken then.

    201 with `processing` also when the provider's answer was lost: the gateway asks the provider what became of it.
    """
    key = claim(body, initialized, is_required=True)
    answer = payment_service.initialize(current_principal(), _payment_request(body), key)
    # Not stored with the answer: who can read the idempotency table must not be able to watch payments.
    token = realtime_token(uuid.UUID(answer.body["data"]["id"]))
    data = answer.body["data"] | {"realtime_token": token}
    return respond(answer.body | {"data": data}, answer.status, replayed=answer.replayed)


@blueprint.route("/payments/providers")
@operation("providers_list")
@blueprint.response(200, ProviderListAnswer)
def list_providers() -> Response:
    """The providers you can use, what each can do, and in which currencies."""
    return _ok([provider_view(*found) for found in payment_service.providers(current_principal()).items()])


@blueprint.route("/payments/<uuid:payment_id>")
@operation("payments_get", errors=[TransactionNotFound])
@blueprint.response(200, EitherPayment)
def get_payment(payment_id: uuid.UUID) -> Response:
    """A payment as the gateway knows it; the provider is not asked. With a user's token and a `pmt_…` id, a wallet payment.

    With an operator's token any merchant's payment.
    """
    reader = current_principal()
    return _ok(payment_view(payment_service.get_payment(reader, payment_id), reader))


@blueprint.route("/payments/<uuid:payment_id>/verify", methods=["POST"])
@operation("payments_verify", errors=_AT_PROVIDER)
@blueprint.arguments(Nothing)
@blueprint.response(200, TransactionAnswer)
def verify_payment(body: dict[str, Any], payment_id: uuid.UUID) -> Response:
    """Ask the provider now. A payment that is final is answered as it is."""
    return _ok(transaction(payment_service.verify(current_principal(), payment_id)))


@blueprint.route("/payments/<uuid:payment_id>/refund", methods=["POST"])
@operation(
    "payments_refund",
    key=REQUIRED,
    errors=[
        TransactionNotFound,
        NotRefundable,
        InvalidAmount,
        InsufficientBalance,
        ProviderNotConfigured,
    ],
)
@requires_key
@blueprint.arguments(RefundRequest)
@blueprint.response(200, TransactionAnswer)
@blueprint.alt_response(402, schema=FailedTransactionAnswer, description="The provider refused the refund.")
@blueprint.alt_response(502, schema=FailedTransactionAnswer, description="The provider was not reached.")
def refund_payment(body: dict[str, Any], payment_id: uuid.UUID) -> Response:
    """Refund all that is left, or `amount` of it.

    `refunded_amount` is the sum of the completed refunds; `GET /payments/{payment_id}/refunds` has the status of each.
    """
    answer = create_refund(
        current_principal(),
        payment_id,
        amount=body.get("amount"),
        reason=body.get("reason") or None,
        claim=claim(body, refunded, is_required=True),
    )
    return respond(answer.body, answer.status, replayed=answer.replayed)


@blueprint.route("/payments/<uuid:payment_id>/refunds")
@operation("refunds_list", errors=[TransactionNotFound])
@blueprint.response(200, RefundListAnswer)
def list_refunds(payment_id: uuid.UUID) -> Response:
    """The payment's refunds, oldest first. With an operator's token, of any merchant's payment."""
    return _ok([refund_view(refund) for refund in refunds_of(current_principal(), payment_id)])


@blueprint.route("/payments/<uuid:payment_id>/disputes")
@operation("disputes_list", errors=[TransactionNotFound])
@blueprint.response(200, DisputeListAnswer)
def list_disputes(payment_id: uuid.UUID) -> Response:
    """The payment's disputes by the customer's bank, oldest first. With an operator's token, of any merchant's payment."""
    return _ok([dispute_view(dispute) for dispute in disputes_of(current_principal(), payment_id)])


@blueprint.route("/payments/<uuid:payment_id>/cancel", methods=["POST"])
@operation("payments_cancel", errors=[*_AT_PROVIDER, NotCancellable])
@blueprint.arguments(Nothing)
@blueprint.response(200, TransactionAnswer)
def cancel_payment(body: dict[str, Any], payment_id: uuid.UUID) -> Response:
    """Cancel a payment that the customer has not made, where the provider can."""
    return _ok(transaction(payment_service.cancel(current_principal(), payment_id)))


def _payment_request(body: dict[str, Any]) -> PaymentRequest:
    given = body["customer"]
    customer = CustomerDetails(
        phone=given.get("phone"),
        id=given.get("id") or None,
        email=given.get("email"),
        name=given.get("name") or None,
    )
    return PaymentRequest(
        provider=body["provider"],
        amount=body["amount"],
        currency=body["currency"],
        customer=customer,
        metadata=body.get("metadata"),
        return_url=body.get("return_url"),
        description=body.get("description"),
        reference=body.get("reference"),
    )


def _ok(data: Any) -> Response:
    return respond({"success": True, "data": data})

"""Payments from wallet to wallet: POST /payments, POST /payments/batch, GET /payments/{pmt_…}."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, current_app

from app.api.wallet.errors import render
from app.api.wallet.schemas.payments import (
    BatchAnswer,
    BatchRequest,
    PaymentAnswer,
    PaymentCreated,
    PaymentRequest,
    payment_view,
)
from app.clock import iso_z
from app.errors import (
    AccountNotFound,
    CurrencyMismatch,
    DailyLimitExceeded,
    GatewayError,
    InsufficientBalance,
    InvalidAmount,
    KycRequired,
    PaymentNotFound,
    PermissionDenied,
    RecipientNotFound,
    UnsupportedCurrency,
)
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.idempotency import claim
from app.http.operation import OPTIONAL, operation
from app.http.responses import respond
from app.rate_limits import Limit, RateLimiter
from app.services.wallets import payments as wallet_payments
from app.services.wallets.payments import PaidItem, WalletPaymentRequest

blueprint = Blueprint("wallet_payments", __name__, description="Payments between wallets.")

_NOT_TAKEN: Final = (InvalidAmount, UnsupportedCurrency, AccountNotFound)
_REFUSED: Final = (
    CurrencyMismatch,
    RecipientNotFound,
    PermissionDenied,
    InsufficientBalance,
    KycRequired,
    DailyLimitExceeded,
)


@blueprint.route("/payments", methods=["POST"])
@operation("wallet_payments_create", key=OPTIONAL, errors=[*_NOT_TAKEN, *_REFUSED])
@blueprint.arguments(PaymentRequest)
@blueprint.response(201, PaymentCreated)
def create_payment(body: dict[str, Any]) -> Response:
    """Pay another user. The money has left the wallet when this answers; `status` becomes completed moments later."""
    source = body["source_wallet_id"]
    paid = wallet_payments.pay(
        current_principal(), source, _request_of(body), claim(body), rates=current_app.config["USD_RATES"]
    )
    view = _created(paid)
    return respond(view | {"data": view}, 201, replayed=paid.replayed)


@blueprint.route("/payments/batch", methods=["POST"])
@operation("wallet_payments_create_batch", key=OPTIONAL, errors=[AccountNotFound])
@blueprint.arguments(BatchRequest)
@blueprint.response(201, BatchAnswer)
def create_batch(body: dict[str, Any]) -> Response:
    """Make up to 1,000 payments from one wallet. Each item succeeds or fails by itself; results keep the order."""
    limiter: RateLimiter = current_app.extensions["rate_limiter"]
    limiter.hit(Limit.BATCH_ITEMS, current_principal().rate_limit_bucket, cost=len(body["payments"]))
    outcomes, is_replay = wallet_payments.pay_batch(
        current_principal(),
        body["source_wallet_id"],
        [_request_of(item) for item in body["payments"]],
        claim(body),
        rates=current_app.config["USD_RATES"],
    )
    results = [
        _result(index, item, outcome)
        for index, (item, outcome) in enumerate(zip(body["payments"], outcomes, strict=True))
    ]
    succeeded = sum(isinstance(outcome, PaidItem) for outcome in outcomes)
    counts = {"total": len(results), "succeeded": succeeded, "failed": len(results) - succeeded}
    return respond({"results": results, **counts}, 201, replayed=is_replay)


@blueprint.route("/payments/<pmt:payment_id>")
@operation("payments_get", errors=[PaymentNotFound])
@blueprint.response(200, PaymentAnswer)
def get_payment(payment_id: str) -> Response:
    """A payment you sent or received."""
    return respond(payment_view(wallet_payments.get_payment(current_principal(), payment_id)))


def _request_of(body: dict[str, Any]) -> WalletPaymentRequest:
    return WalletPaymentRequest(
        amount=body["amount"],
        destination=body["destination"],
        currency=body.get("currency"),
        description=body.get("description"),
        metadata=body.get("metadata"),
    )


def _created(paid: PaidItem) -> dict[str, Any]:
    return {
        "payment_id": paid.payment_id,
        "id": paid.payment_id,
        "status": paid.status,
        "amount": str(paid.amount),
        "currency": paid.amount.currency,
        "created_at": iso_z(paid.created_at),
    }


def _result(index: int, item: dict[str, Any], outcome: PaidItem | GatewayError) -> dict[str, Any]:
    place = {"index": index, "destination": item["destination"]}
    if isinstance(outcome, PaidItem):
        return place | _created(outcome)
    return place | {"status": "failed", "payment_id": None, "error": render(outcome)["error"]}

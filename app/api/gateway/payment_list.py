"""GET /payments: payments through providers of a merchant or (for operators) of all, or a user's wallet payments."""

from __future__ import annotations

from typing import Any, Final

import flask
from flask import Response

from app.api.gateway.schemas.payment_query import PaymentQuery
from app.api.gateway.schemas.payments import PaymentList
from app.api.gateway.views import pagination_view, payment_view
from app.api.wallet.schemas.payments import payment_view as wallet_payment_view
from app.errors import InvalidRequest
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.pagination import filters_of, next_cursor, page_request
from app.http.responses import respond
from app.models.wallet_payment import WalletPaymentStatus
from app.principal import Kind, Principal
from app.services import payment_service
from app.services.identity import scopes
from app.services.pages import PageRequest
from app.services.payment_service import PaymentFilter
from app.services.wallets import payments as wallet_payments

blueprint = Blueprint("gateway_payments", __name__, description="Lists of payments.")


OF_WALLET_PAYMENTS: Final = frozenset({"status", "page", "per_page", "limit", "offset"})
"""The parameters that a user's list of wallet payments takes."""


@blueprint.route("/payments")
@operation("payments_list")
@blueprint.arguments(PaymentQuery, location="query")
@blueprint.response(200, PaymentList)
def list_payments(query: dict[str, Any]) -> Response:
    """Payments, newest first: of the merchant, or with a user's token the wallet payments sent and received.

    With an operator's token the payments of every merchant.
    """
    reader, request = scopes.with_scopes(current_principal()), page_request(query)
    if reader.kind is Kind.USER:
        return _of_user(reader, query, request)
    return _through_providers(reader, query, request)


def _through_providers(reader: Principal, query: dict[str, Any], request: PageRequest) -> Response:
    if "tenant_id" in query and reader.kind is not Kind.OPERATOR:
        raise InvalidRequest("This is for operators.", field="tenant_id")
    page = payment_service.list_payments(reader, request, _filter(query))
    cursor = next_cursor(page, lambda payment: payment.id, filters=filters_of(flask.request.args))
    pagination = pagination_view(page, request) | {"next_cursor": cursor}
    return _listed([payment_view(payment, reader) for payment in page.items], pagination)


def _filter(query: dict[str, Any]) -> PaymentFilter:
    provider = query.get("provider")
    return PaymentFilter(
        tenant_id=query.get("tenant_id"),
        provider=provider.lower() if provider else None,
        status=query.get("status"),
        customer_id=query.get("customer_id"),
        phones=query.get("phone", ()),
        email=query.get("email"),
        receipt=query.get("receipt"),
        reference=query.get("reference"),
        amount=query.get("amount"),
        currency=query.get("currency"),
        created_from=query.get("created_from"),
        created_before=query.get("created_to"),
        metadata=tuple(query.get("metadata", ())),
    )


def _of_user(user: Principal, query: dict[str, Any], request: PageRequest) -> Response:
    if others := query.keys() - OF_WALLET_PAYMENTS:
        raise InvalidRequest("This is for lists of provider payments.", field=min(others))
    status = query.get("status")
    if status is not None and status not in list(WalletPaymentStatus):
        raise InvalidRequest(f"This must be one of {', '.join(WalletPaymentStatus)}.", field="status")
    page = wallet_payments.list_payments(user, request, status=status)
    return _listed([wallet_payment_view(payment) for payment in page.items], pagination_view(page, request))


def _listed(items: list[dict[str, Any]], pagination: dict[str, Any]) -> Response:
    return respond({"success": True, "data": {"items": items, "pagination": pagination}})

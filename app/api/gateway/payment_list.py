"""GET /payments, for two kinds of callers in one envelope: a merchant's provider payments, a user's wallet payments."""

from __future__ import annotations

from typing import Any, Final

from flask import Response

from app.api.gateway.schemas.payments import PaymentList, PaymentQuery
from app.api.gateway.views import transaction
from app.api.wallet.schemas.payments import payment_view
from app.errors import InvalidRequest
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.principal import Principal
from app.services import payment_service
from app.services.wallets import payments as wallet_payments

blueprint = Blueprint("gateway_payments", __name__, description="Lists of payments.")

PER_PAGE: Final = 20
MAX_PER_PAGE: Final = 100

_WALLET_STATUSES: Final = ("pending", "processing", "completed", "failed")


@blueprint.route("/payments")
@operation("payments_list")
@blueprint.arguments(PaymentQuery, location="query")
@blueprint.response(200, PaymentList)
def list_payments(query: dict[str, Any]) -> Response:
    """Payments, newest first: of the tenant, or with a user's token the wallet payments sent and received."""
    _require_one_way(query)
    per_page = min(query.get("per_page") or query.get("limit") or PER_PAGE, MAX_PER_PAGE)
    offset = query.get("offset", (query.get("page", 1) - 1) * per_page)
    principal = current_principal()
    if principal.tenant is not None:
        return _of_merchant(principal, query, per_page, offset)
    return _of_user(principal, query, per_page, offset)


def _require_one_way(query: dict[str, Any]) -> None:
    given = [name for name in ("page", "offset", "cursor") if name in query]
    if len(given) > 1:
        raise InvalidRequest(f"Send one of {' and '.join(given)}, not both.", field=given[-1])


def _of_merchant(merchant: Principal, query: dict[str, Any], per_page: int, offset: int) -> Response:
    cursor = query.get("cursor")
    provider = query.get("provider")
    page = payment_service.list_payments(
        merchant,
        provider=provider.lower() if provider else None,
        status=query.get("status"),
        customer_id=query.get("customer_id"),
        limit=per_page,
        offset=offset,
        cursor=cursor,
    )
    pagination = _pagination(page.total, per_page, offset, has_next=page.has_next)
    if cursor is not None:
        pagination |= {"page": None, "has_prev": True}
    return _listed(
        [transaction(payment) for payment in page.items], pagination | {"next_cursor": page.next_cursor}
    )


def _of_user(user: Principal, query: dict[str, Any], per_page: int, offset: int) -> Response:
    for name in ("provider", "customer_id", "cursor"):
        if name in query:
            raise InvalidRequest("This is for lists of provider payments.", field=name)
    status = query.get("status")
    if status is not None and status not in _WALLET_STATUSES:
        raise InvalidRequest(f"This must be one of {', '.join(_WALLET_STATUSES)}.", field="status")
    rows = wallet_payments.payments_of(user, status=status, limit=per_page + 1, offset=offset)
    total = wallet_payments.count_payments_of(user, status=status)
    pagination = _pagination(total, per_page, offset, has_next=len(rows) > per_page)
    return _listed([payment_view(row) for row in rows[:per_page]], pagination)


def _pagination(total: int, per_page: int, offset: int, *, has_next: bool) -> dict[str, Any]:
    return {
        "page": offset // per_page + 1,
        "per_page": per_page,
        "total": total,
        "pages": -(-total // per_page),
        "has_next": has_next,
        "has_prev": offset > 0,
    }


def _listed(items: list[dict[str, Any]], pagination: dict[str, Any]) -> Response:
    return respond({"success": True, "data": {"items": items, "pagination": pagination}})

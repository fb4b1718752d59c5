"""GET /payments: a signed-in user without a tenant sees their wallet payments in the Gateway API's envelope."""

from __future__ import annotations

from typing import Any, Final

from flask import Response
from marshmallow import fields as ma

from app.api import fields
from app.api.blueprint import Blueprint
from app.api.guards import current_actor
from app.api.responses import respond
from app.api.schema import Schema
from app.api.wallet.schemas.payments import PaymentAnswer, payment_view
from app.errors import InvalidRequest
from app.services import wallet_payment_service

blueprint = Blueprint("gateway_payments", __name__, description="Lists of payments.")

EXACT_TOTAL: Final = 10_000
"""`total` is counted no further than this; beyond it lists go on by `offset` or page as long as there are rows."""


class PaymentQuery(Schema):
    status = fields.Choice("pending", "processing", "completed", "failed")
    page = fields.QueryNumber(minimum=1, maximum=1_000_000)
    per_page = fields.QueryNumber(minimum=1, maximum=100)
    limit = fields.QueryNumber(minimum=1, maximum=100, metadata={"description": "Same as per_page."})
    offset = fields.QueryNumber(minimum=0, maximum=100_000_000, metadata={"description": "Instead of page."})


class Pagination(Schema):
    page = ma.Integer()
    per_page = ma.Integer()
    total = ma.Integer(
        metadata={"description": f"Exact up to {EXACT_TOTAL}; that number when there are more."}
    )
    pages = ma.Integer()
    has_next = ma.Boolean()
    has_prev = ma.Boolean()


class PaymentPage(Schema):
    items = ma.List(ma.Nested(PaymentAnswer))
    pagination = ma.Nested(Pagination)


class PaymentList(Schema):
    success = ma.Boolean()
    data = ma.Nested(PaymentPage)


@blueprint.route("/payments")
@blueprint.arguments(PaymentQuery, location="query")
@blueprint.response(200, PaymentList)
def list_payments(query: dict[str, Any]) -> Response:
    """Payments you sent or received, newest first."""
    per_page = query.get("per_page") or query.get("limit") or 20
    if "page" in query and "offset" in query:
        raise InvalidRequest("Send page or offset, not both.", field="offset")
    offset = query.get("offset", (query.get("page", 1) - 1) * per_page)
    actor, status = current_actor(), query.get("status")
    rows = wallet_payment_service.payments_of(actor, status=status, limit=per_page + 1, offset=offset)
    total = wallet_payment_service.count_payments_of(actor, status=status, cap=EXACT_TOTAL)
    pagination = {
        "page": offset // per_page + 1,
        "per_page": per_page,
        "total": total,
        "pages": -(-total // per_page),
        "has_next": len(rows) > per_page,
        "has_prev": offset > 0,
    }
    return respond(
        {
            "success": True,
            "data": {"items": [payment_view(row) for row in rows[:per_page]], "pagination": pagination},
        }
    )

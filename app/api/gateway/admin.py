"""For operators: the audit log, statistics, and reconciliation on demand."""

from __future__ import annotations

from typing import Any, Final

from flask import Response

from app.api.gateway import operator_views
from app.api.gateway.schemas.operations import (
    AuditList,
    AuditQuery,
    ReconcileRequest,
    ReconciliationAnswer,
    StatisticsAnswer,
    StatisticsQuery,
)
from app.http.blueprint import Blueprint
from app.http.operation import operation
from app.http.responses import respond
from app.services.operator import audit as audit_log
from app.services.operator import reconciliation
from app.services.operator import statistics as operator_statistics
from app.services.operator.audit import LogFilter

BUDGET_S: Final = 20.0
"""A request may take this long; the answer counts the payments that were not checked by then."""

blueprint = Blueprint("admin", __name__, description="For operators.")


@blueprint.route("/admin/audit-logs")
@operation("audit_logs_list")
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, AuditList)
def list_audit_logs(query: dict[str, Any]) -> Response:
    """Events, newest first. `before` is the `sequence` to go on below."""
    criteria = LogFilter(
        type=query.get("type"),
        object_id=query.get("object_id"),
        tenant_id=query.get("tenant_id"),
        before=int(query["before"]) if "before" in query else None,
    )
    page = audit_log.list_events(criteria, limit=query.get("limit", 50))
    return respond({"success": True, "data": operator_views.audit_page(page)})


@blueprint.route("/admin/statistics")
@operation("statistics_get")
@blueprint.arguments(StatisticsQuery, location="query")
@blueprint.response(200, StatisticsAnswer)
def statistics(query: dict[str, Any]) -> Response:
    """Payments of the last days by status, provider, day and currency; what is open, and what needs an operator."""
    found = operator_statistics.overview(days=query.get("days", 30))
    return respond({"success": True, "data": operator_views.statistics(found)})


@blueprint.route("/admin/reconcile", methods=["POST"])
@operation("payments_reconcile")
@blueprint.arguments(ReconcileRequest)
@blueprint.response(200, ReconciliationAnswer)
def reconcile(body: dict[str, Any]) -> Response:
    """Compare open payments and refunds with the providers now, and what was collected where a provider has a statement."""
    report = reconciliation.reconcile(provider=body.get("provider"), budget_s=BUDGET_S)
    return respond({"success": True, "data": operator_views.reconciliation(report)})

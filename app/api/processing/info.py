"""Health, and what the Processing API is (document 003)."""

from __future__ import annotations

from typing import Final

from flask import Response, current_app, request

from app import clock
from app.api.processing.amounts import LIMITS, PAYMENT_METHODS
from app.api.processing.headers import API_VERSION
from app.api.processing.schemas.info import ProcessingHealth, ProcessingInfo
from app.api.processing.times import iso
from app.http.blueprint import Blueprint
from app.http.operation import operation
from app.http.responses import respond
from app.services.operator import health as health_checks

VERSION: Final = "2.4.0"
"""Of the document, not of the gateway."""

_CHECKS: Final = {
    "database": frozenset({"database", "migrations", "ledger"}),
    "cache": frozenset({"redis"}),
    "queue": frozenset({"relay"}),
}
"""The document's names → the readiness checks they stand for."""

blueprint = Blueprint("processing_info", __name__, description="Health, and what this API is.")


@blueprint.route("/health")
@operation("processing_health_get")
@blueprint.response(200, ProcessingHealth)
@blueprint.alt_response(503, schema=ProcessingHealth, description="A check has failed.")
def get_health() -> Response:
    """Check database, Redis and relay"""
    recent: health_checks.RecentReadiness = current_app.extensions["readiness"]
    failed = {check.name for check in recent.checks() if not check.is_well}
    checks = {name: "disconnected" if names & failed else "connected" for name, names in _CHECKS.items()}
    is_well = "disconnected" not in checks.values()
    body = {
        "status": "healthy" if is_well else "unhealthy",
        "service": "payment-api",
        "version": VERSION,
        "timestamp": iso(clock.now()),
        "checks": checks,
    }
    return respond(body, 200 if is_well else 503)


@blueprint.route("/api-info")
@operation("processing_info_get")
@blueprint.response(200, ProcessingInfo)
def get_info() -> Response:
    """Name the API, its parts, currencies and payment methods"""
    return respond(
        {
            "name": "Payment Processing API",
            "version": VERSION,
            "api_version": API_VERSION,
            "environment": "test",
            "documentation_url": f"{request.host_url}docs",
            "endpoints": {
                "payments": "/v1/payments",
                "refunds": "/v1/payments/{id}/refund",
                "webhooks": "/v1/webhooks",
                "health": "/v1/health",
                "oauth": "/v1/oauth",
            },
            "supported_currencies": list(LIMITS),
            "supported_payment_methods": list(PAYMENT_METHODS),
        }
    )

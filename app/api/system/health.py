"""The gateway's own routes: liveness, readiness, version, metrics."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, current_app, request

from app import metrics
from app.http.answers import Answer, one_of
from app.http.blueprint import Blueprint
from app.http.openapi import document
from app.http.operation import operation
from app.http.responses import dumps, respond
from app.parsing import is_loopback
from app.services.operator import health as health_checks
from app.version import VERSION

health = Blueprint("health", __name__, description="Liveness, readiness, version.")
root = Blueprint("root", __name__)

_UNAVAILABLE = 503


class Health(Answer):
    """`status` is `ok`, or `unavailable` when a check failed."""

    optional = frozenset({"checks"})

    status = one_of("ok", "unavailable")
    version = ma.fields.String()
    checks = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        metadata={
            "description": "Each check's name and `ok`, or what is wrong with it; only for this machine itself."
        },
    )


class Version(Answer):
    """What is running here."""

    name = ma.fields.String()
    version = ma.fields.String()


@health.route("/health")
@operation("health_get")
@health.response(200, Health)
def get_health() -> Response:
    """Say that the process answers"""
    return respond({"status": "ok", "version": VERSION})


@health.route("/health/live")
@operation("health_get_live")
@health.response(200, Health)
def get_live() -> Response:
    """Say that the process answers (for a supervisor: restart it when this fails)"""
    return respond({"status": "ok", "version": VERSION})


@health.route("/health/ready")
@operation("health_get_ready")
@health.response(200, Health)
@health.alt_response(503, schema=Health, description="A check failed.")
def get_ready() -> Response:
    """Check database, migrations, ledger functions, relay, clock and Redis (for a load balancer)"""
    recent: health_checks.RecentReadiness = current_app.extensions["readiness"]
    checks = recent.checks()
    is_well = all(check.is_well for check in checks)
    body: dict[str, Any] = {"status": "ok" if is_well else "unavailable", "version": VERSION}
    if _is_from_this_machine():
        body["checks"] = {check.name: check.problem or "ok" for check in checks}
    return respond(body, 200 if is_well else _UNAVAILABLE)


def _is_from_this_machine() -> bool:
    """Whether no proxy has passed the request on, and it comes from this host or container."""
    is_forwarded = any(
        name in request.headers for name in ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded")
    )
    return not is_forwarded and is_loopback(request.remote_addr)


@health.route("/version")
@operation("version_get")
@health.response(200, Version)
def get_version() -> Response:
    """Name the software and its version"""
    return respond({"name": "Malipo", "version": VERSION})


@root.route("/")
def get_root() -> Response:
    """Links to the documentation, health and the API."""
    links = {
        "documentation": "/docs",
        "openapi": "/openapi.json",
        "health": "/health/ready",
        "api": "/api/v1",
    }
    return respond({"name": "Malipo", "version": VERSION, **links})


@root.route("/metrics")
def get_metrics() -> Response:
    """Prometheus' text format. A proxy in front keeps this inside (deploy/nginx/nginx.conf)."""
    found: metrics.Metrics = current_app.extensions["metrics"]
    return Response(found.text(), content_type=metrics.CONTENT_TYPE)


@root.route("/openapi.json")
def get_openapi() -> Response:
    """The OpenAPI document."""
    return Response(dumps(document(current_app)), content_type="application/json")

"""What is done for every request: its id, its host, its guard and limit, its access log line."""

from __future__ import annotations

import re
import time
from typing import Final

import structlog
from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask_cors import CORS

from app import database_clock, ids, sliding_windows
from app.addresses import client_network
from app.errors import HostRefused
from app.http import local_hosts, query, request_log
from app.http.responses import REPLAYED_HEADER
from app.http.table import Policy, policies
from app.metrics import Metrics
from app.principal import Principal
from app.rate_limits import Limit, RateLimiter
from app.services.identity import scopes
from app.services.operator import health as health_checks
from app.services.tenants import roles
from app.sliding_windows import SlidingWindows

REQUEST_ID: Final = "X-Request-Id"

_SANE_ID: Final = re.compile(r"[!-~]{1,128}")

log = structlog.get_logger("access")


def init(app: Flask) -> None:
    """Bind the hooks, and CORS when an origin is allowed."""
    app.extensions["rate_limiter"] = RateLimiter(app.config)
    app.extensions["sliding_windows"] = SlidingWindows(app.config)
    app.extensions["metrics"] = Metrics(health_checks.depths)
    app.extensions["readiness"] = health_checks.RecentReadiness(app.config)
    app.session_interface = NoSessions()
    is_host_ours = local_hosts.host_check(app.config)

    def require_own_host() -> None:
        if not is_host_ours(request.environ):
            raise HostRefused(local_hosts.REFUSED)

    app.before_request(_begin)
    app.before_request(require_own_host)
    app.before_request(_follow_clock)
    app.before_request(_guard)
    app.before_request(query.check)
    app.after_request(_finish)
    request_log.init(app)
    if app.config["CORS_ORIGINS"]:
        CORS(
            app,
            origins=list(app.config["CORS_ORIGINS"]),
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", REQUEST_ID],
            expose_headers=[REQUEST_ID, REPLAYED_HEADER, "Retry-After"],
            max_age=600,
        )


class NoSessions(SessionInterface):
    """No cookie is read or set: callers are identified by their headers."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        return _NO_SESSION

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        return None


_NO_SESSION: Final = NullSession()


def _begin() -> None:
    g.started = time.perf_counter()
    given = request.headers.get(REQUEST_ID, "")
    g.request_id = given if _SANE_ID.fullmatch(given) else ids.public(ids.REQUEST, ids.opaque())
    g.principal = None
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _follow_clock() -> None:
    """Not for liveness and version, which answer whether the database does or not."""
    if request.blueprint not in (None, "health", "root"):
        database_clock.follow()


def _guard() -> None:
    """Identify, count, admit: a forged token costs no round trip, and requests above the limit cost no query.

    An API key costs a query before it is counted: only its row has the tenant, and whether the key is still valid.
    """
    if request.endpoint is None or request.method == "OPTIONS":
        return  # no route: the 404 comes next; OPTIONS lists the methods only
    policy: Policy = policies(current_app)[request.endpoint]
    g.principal = principal = policy.guard.identify()
    if (limit := policy.limit_of(principal)) is not None:
        _count(limit, principal)
    if principal is None:
        return
    if policy.guard.admit is not None:
        g.principal = principal = policy.guard.admit(principal)
    if policy.permission is not None:
        principal.require(policy.permission)
    if policy.tenant_scopes:
        roles.require_scope(principal, policy.tenant_scopes)
    if policy.scope is not None and principal.tenant is None:
        g.principal = scopes.require_scope(principal, policy.scope)


def _count(limit: Limit, principal: Principal | None) -> None:
    """Raises RateLimitExceeded."""
    if limit is Limit.PROCESSING and principal is not None:
        windows: SlidingWindows = current_app.extensions["sliding_windows"]
        g.window, is_within = windows.hit(principal)
        if not is_within:
            raise sliding_windows.exceeded(g.window)
        return
    limiter: RateLimiter = current_app.extensions["rate_limiter"]
    limiter.hit(
        limit, principal.rate_limit_bucket if principal else f"@{client_network(request.remote_addr)}"
    )


def _finish(response: Response) -> Response:
    response.headers[REQUEST_ID] = g.request_id
    duration_s = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else "-"
    counted: Metrics = current_app.extensions["metrics"]
    counted.count(request.method, route, status=response.status_code, duration_s=duration_s)
    log.info(
        "request",
        method=request.method,
        route=route,
        status=response.status_code,
        ms=round(duration_s * 1000, 1),
        user=g.principal.event_actor if g.principal else None,
    )
    return response

"""Hands each request of a tenant to the request log, after it was answered. Users' own requests (wallets) are not kept."""

from __future__ import annotations

import hashlib
import time
from typing import Any, Final

from flask import Flask, Response, current_app, g, request

from app import ids
from app.http.idempotency import HEADER as KEY_HEADER
from app.http.responses import REPLAYED_HEADER
from app.metrics import Metrics
from app.principal import Kind, Principal
from app.services.api_requests.log import MAX_ANSWER_BYTES, Entry, RequestLog
from app.services.api_requests.redaction import without_numbers

KEY_DIGEST_BYTES: Final = 8
MAX_PATH: Final = 500
MAX_OBJECT_ID: Final = 64
"""Characters."""

_OWN_ROUTES: Final = "/developers/requests"
"""Reading the log is not kept in it: a page that follows it would show itself."""

_CREDENTIALED: Final = frozenset({Kind.API_KEY, Kind.DEMO_TENANT})


def init(app: Flask) -> None:
    metrics: Metrics = app.extensions["metrics"]
    app.extensions["request_log"] = RequestLog(app, metrics.count_dropped_requests)
    app.after_request(_keep)


def _keep(response: Response) -> Response:
    principal: Principal | None = g.get("principal")
    if principal is None or principal.tenant is None or request.url_rule is None:
        return response
    if _OWN_ROUTES in request.url_rule.rule:
        return response
    found: RequestLog = current_app.extensions["request_log"]
    found.add(Entry(_facts(principal, response), g.get("json_body"), _answer(response)))
    return response


def _facts(principal: Principal, response: Response) -> dict[str, Any]:
    assert request.url_rule is not None
    return {
        "id": ids.uuid7(),
        "tenant_id": principal.tenant,
        "key_id": principal.credential if principal.kind in _CREDENTIALED else None,
        "user_id": principal.user,
        "request_id": g.request_id,
        "method": request.method,
        "route": request.url_rule.rule,
        "path": _path(),
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.started) * 1000),
        "key_digest": digest_of(request.headers.get(KEY_HEADER)),
        "is_replay": REPLAYED_HEADER in response.headers,
        "object_id": _object_id(),
        "address": request.remote_addr,
    }


def _path() -> str:
    """As it was asked for; what may be a person's number is masked in it."""
    shown = _storable(request.path)
    for value in map(_storable, map(str, (request.view_args or {}).values())):
        shown = shown.replace(value, without_numbers(value)) if value else shown
    return shown[:MAX_PATH]


def _object_id() -> str | None:
    """What the path names last."""
    named = [str(value) for value in (request.view_args or {}).values()]
    return without_numbers(_storable(named[-1]))[:MAX_OBJECT_ID] if named else None


def _storable(text: str) -> str:
    """A path may hold what no database stores."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def _answer(response: Response) -> bytes | None:
    is_short = not response.is_streamed and (response.content_length or 0) <= MAX_ANSWER_BYTES
    return response.get_data() if is_short and response.mimetype == "application/json" else None


def digest_of(key: str | None) -> bytes | None:
    """By what requests with the same Idempotency-Key are found: the key itself is not kept."""
    return hashlib.sha256(key.encode()).digest()[:KEY_DIGEST_BYTES] if key else None

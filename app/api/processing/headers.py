"""The headers of every answer of the Processing API, errors and unknown paths included (document 003)."""

from __future__ import annotations

import time
from typing import Final

from flask import Response, current_app, g, request

from app.http.responses import REPLAYED_HEADER
from app.http.surfaces import Surface, surface_of
from app.sliding_windows import SlidingWindows, Window

API_VERSION: Final = "2024-01-15"

_OAUTH: Final = "/v1/oauth/"


def add(response: Response) -> Response:
    if surface_of(request.path, request.method) is not Surface.PROCESSING:
        return response
    response.headers["X-Response-Time"] = f"{(time.perf_counter() - g.started) * 1000:.1f}ms"
    response.headers["X-API-Version"] = API_VERSION
    if REPLAYED_HEADER in response.headers:
        response.headers["X-Idempotent-Replayed"] = response.headers[REPLAYED_HEADER]
    if (window := _window()) is not None:
        response.headers["X-RateLimit-Limit"] = str(window.limit)
        response.headers["X-RateLimit-Remaining"] = str(window.remaining)
        response.headers["X-RateLimit-Reset"] = str(window.resets_at)
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = _challenge()
    return response


def _window() -> Window | None:
    """As this request has counted, or as it is; None: the request has no valid key."""
    if "window" in g:
        found: Window = g.window
        return found
    if g.get("principal") is None:
        return None
    windows: SlidingWindows = current_app.extensions["sliding_windows"]
    return windows.peek(g.principal)


def _challenge() -> str:
    """How to authenticate: applications by their secret at the OAuth routes (RFC 6749), else by a bearer (RFC 6750)."""
    if request.path.startswith(_OAUTH):
        return 'Basic realm="malipo"'
    return 'Bearer realm="malipo"' + (', error="invalid_token"' if "Authorization" in request.headers else "")

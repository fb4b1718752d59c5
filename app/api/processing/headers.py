"""The headers of every answer of the Processing API, errors and unknown paths included (document 003)."""

from __future__ import annotations

import time
from typing import Final

from flask import Response, g, request

from app.http.surfaces import Surface, surface_of

API_VERSION: Final = "2024-01-15"

_OAUTH: Final = "/v1/oauth/"


def add(response: Response) -> Response:
    if surface_of(request.path, request.method) is Surface.PROCESSING:
        response.headers["X-Response-Time"] = f"{(time.perf_counter() - g.started) * 1000:.1f}ms"
        response.headers["X-API-Version"] = API_VERSION
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = _challenge()
    return response


def _challenge() -> str:
    """How to authenticate: applications by their secret at the OAuth routes (RFC 6749), else by a bearer (RFC 6750)."""
    if request.path.startswith(_OAUTH):
        return 'Basic realm="malipo"'
    return 'Bearer realm="malipo"' + (', error="invalid_token"' if "Authorization" in request.headers else "")

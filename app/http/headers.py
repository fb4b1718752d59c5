"""Headers that restrict what browsers do with a response."""

from __future__ import annotations

from typing import Final

from flask import Response

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""An API response loads nothing and is shown in no frame."""

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Our pages: scripts from our own files only. Swagger UI writes style attributes, hence 'unsafe-inline' for styles."""


def set_security_headers(response: Response) -> None:
    """On every answer. What a route has set already stays."""
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Frame-Options"] = "DENY"
    if "Content-Security-Policy" not in headers:
        is_page = response.mimetype == "text/html"
        headers["Content-Security-Policy"] = PAGE_POLICY if is_page else API_POLICY
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"

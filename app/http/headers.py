"""Headers that restrict what browsers do with an answer, on every answer of a process: REST, pages, Socket.IO, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Flask

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""An API answer loads nothing and is shown in no frame."""

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Our pages: scripts from our own files only. Swagger UI writes style attributes, hence 'unsafe-inline' for styles."""

ALWAYS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)

HSTS: Final = ("Strict-Transport-Security", "max-age=31536000")
"""A year of HTTPS alone, for this host: other hosts of the domain are not ours to decide about."""

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def init(app: Flask) -> None:
    """Put the headers around everything that `app` serves. Call it before trust_proxies, which says whether TLS was used."""
    app.wsgi_app = SecureAnswers(  # type: ignore[method-assign]
        app.wsgi_app, is_production=app.config["IS_PRODUCTION"]
    )


class SecureAnswers:
    """WSGI middleware. A header that an answer has already stays as it is."""

    def __init__(self, inner: Wsgi, *, is_production: bool) -> None:
        self._inner = inner
        self._is_production = is_production

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # A demo on localhost must not make its browser refuse plain HTTP there for a year.
        is_hsts = self._is_production and environ.get("wsgi.url_scheme") == "https"

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, *_missing(headers, is_hsts=is_hsts)], *more)

        return self._inner(environ, start)


def _missing(headers: list[tuple[str, str]], *, is_hsts: bool) -> list[tuple[str, str]]:
    given = {name.lower(): value for name, value in headers}
    is_page = given.get("content-type", "").startswith("text/html")
    wanted = [
        *ALWAYS,
        ("Content-Security-Policy", PAGE_POLICY if is_page else API_POLICY),
        ("Cache-Control", "no-store"),
    ]
    if is_hsts:
        wanted.append(HSTS)
    return [(name, value) for name, value in wanted if name.lower() not in given]

"""Which addresses of a request are believed."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix


def trust_proxies(app: Flask) -> None:
    """Read the client's address from TRUSTED_PROXIES hops. Call it last: it goes around what is in front of the routes."""
    if hops := app.config["TRUSTED_PROXIES"]:
        # Exactly so many addresses of X-Forwarded-For were written by proxies of ours; the rest is hearsay.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]

"""Malipo, a self-hosted payment gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import logs
from app.config import loader

MIGRATIONS: Final = str(Path(__file__).resolve().parent.parent / "migrations")


def create_app(settings: Mapping[str, str] | None = None) -> Flask:
    """The application, from `settings` (default: the environment). Raises ConfigError with a sentence."""
    # Here, not above: the parts import `app` themselves.
    from app import cli, crypto, models, routes  # noqa: F401 models registers the tables
    from app.extensions import db, jwt, migrate
    from app.services.provider_access import adapters, bulkhead
    from app.websocket import server

    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config.update(loader.load(settings))
    logs.configure(app.config)
    crypto.init(app)
    bulkhead.init(app)
    adapters.init(app)
    db.init_app(app)
    migrate.init_app(app, db, directory=MIGRATIONS)
    jwt.init_app(app)
    routes.init(app)
    cli.register(app)
    if app.config["REALTIME"] == "embedded":
        server.init(app)
    if hops := app.config["TRUSTED_PROXIES"]:
        # Exactly so many addresses of X-Forwarded-For were written by proxies of ours; the rest is hearsay.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app

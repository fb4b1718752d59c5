"""Malipo, a self-hosted payment gateway."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import Flask

from app import logs
from app.config import loader


def create_app(
    settings: Mapping[str, str] | None = None, *, serves_http: bool = True, has_commands: bool = True
) -> Flask:
    """The application, from `settings` (default: the environment). Raises ConfigError with a sentence.

    serves_http: with its routes and, where it is embedded, Socket.IO. has_commands: with those of `flask …`. A process that
    needs only one of them, or neither, starts faster without the other.
    """
    with _no_garbage_collection():
        return _create_app(settings, serves_http=serves_http, has_commands=has_commands)


def _create_app(settings: Mapping[str, str] | None, *, serves_http: bool, has_commands: bool) -> Flask:
    # Here, not above: the parts import `app` themselves.
    from app import crypto, models  # noqa: F401 models registers the tables
    from app.extensions import db, jwt
    from app.services.provider_access import adapters, bulkhead
    from app.services.tenants import key_attempts
    from app.services.webhooks import event_waits

    app = Flask(__name__, static_folder=None, template_folder=None)
    app.config.update(loader.load(settings))
    logs.configure(app.config)
    crypto.init(app)
    bulkhead.init(app)
    key_attempts.init(app)
    event_waits.init(app)
    adapters.init(app)
    db.init_app(app)
    jwt.init_app(app)
    if serves_http:
        _add_routes(app)
    if has_commands:
        from app import cli

        cli.init(app)
    return app


def _add_routes(app: Flask) -> None:
    from app import routes
    from app.http import headers, proxies

    routes.init(app)
    if app.config["REALTIME"] == "embedded":
        from app.websocket import server

        server.init(app)
    headers.init(app)
    proxies.trust_proxies(app)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Modules and routes stay as long as the process: looking for garbage among them takes a seventh of its start."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

"""The realtime process: Socket.IO alone, on eventlet. realtime.py starts it.

Thousands of clients in one process, fed through Redis. Nothing here may block the event loop: Redis and the clients
go through patched sockets, Postgres (whose driver cannot be patched) through one native thread.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import eventlet
import eventlet.tpool
import eventlet.wsgi
from eventlet.patcher import is_monkey_patched
from flask import Flask

from app import logs
from app.config.loader import load
from app.config.setting import ConfigError
from app.extensions import db, jwt
from app.http import headers
from app.http.proxies import trust_proxies
from app.parsing import socket_address
from app.services.operator import installation
from app.services.tenants import key_attempts
from app.websocket.events import Run
from app.websocket.server import build, in_context, put_gate

T = TypeVar("T")

MAX_CLIENTS: Final = 5_000
"""Clients of one realtime process; run one process a core, with sticky sessions in front."""


def create_realtime() -> Flask:
    """An application with the settings, the database and Socket.IO; its only route is /health/live."""
    app = Flask("malipo.realtime")
    app.config.update(load())
    logs.configure(app.config)
    db.init_app(app)
    jwt.init_app(app)
    key_attempts.init(app)
    app.add_url_rule("/health/live", view_func=lambda: {"status": "ok"}, endpoint="live")
    socketio = build(app, async_mode="eventlet", run=_in_native_thread(app))
    put_gate(app, socketio, max_clients=MAX_CLIENTS)
    headers.init(app)
    trust_proxies(app)
    return app


def _in_native_thread(app: Flask) -> Run:
    # One thread: the pool's locks are patched ones, which are no locks between native threads.
    eventlet.tpool.set_num_threads(1)
    call = in_context(app)

    def run(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        result: T = eventlet.tpool.execute(call, function, *args, **kwargs)
        return result

    return run


def main() -> None:
    """Serve until SIGTERM. A bad setting ends it with a sentence and exit status 1."""
    assert is_monkey_patched("socket"), "start it with python -m app.websocket.realtime"
    try:
        app = create_realtime()
        installation.require_fit(app)
        listener = eventlet.listen(socket_address(app.config["REALTIME_BIND"]))
    except ConfigError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"REALTIME_BIND cannot be used: {error}.")
    # Clients reconnect by themselves, to the process that takes over.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    # More greenlets than clients: a client that changes its transport has up to three requests.
    serve(listener, app.wsgi_app, max_size=2 * MAX_CLIENTS)


def serve(listener: Any, application: Callable[..., Iterable[bytes]], *, max_size: int) -> None:
    eventlet.wsgi.server(listener, application, max_size=max_size, log_output=False, debug=False)

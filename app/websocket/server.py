"""Builds the Socket.IO server, and puts it into the app process (REALTIME=embedded)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI
from flask import Flask
from flask_socketio import SocketIO

from app.events.push_messages import PushMessage
from app.http.local_hosts import host_check
from app.services.realtime import subscriptions
from app.websocket.auth import is_origin_allowed
from app.websocket.clients import Clients
from app.websocket.events import EventHandlers, Run
from app.websocket.gate import Gate, sender
from app.websocket.inbound import Inbound
from app.websocket.packet import StrictPacket
from app.websocket.rooms import RoomManager
from app.websocket.sweep import Sweep

T = TypeVar("T")

MAX_PAYLOAD_BYTES: Final = 65_536
"""Largest thing a client may send at once."""

PING_INTERVAL_S: Final = 25
PING_TIMEOUT_S: Final = 20


def init(app: Flask) -> None:
    """Serve Socket.IO from the application's own threads, beside REST, for REALTIME_MAX_CLIENTS clients."""
    socketio = build(app, async_mode="threading", run=in_context(app))
    # Frames above the limit are refused while they come in, not when they have been stored.
    eio = socketio.server.eio
    eio._async = {**eio._async, "websocket": _BoundedWebSocket}
    put_gate(app, socketio, max_clients=app.config["REALTIME_MAX_CLIENTS"])


def build(app: Flask, *, async_mode: str, run: Run) -> SocketIO:
    """The server with its handlers, under /socket.io/ of `app`. Nothing is started before the first client."""
    clients = Clients()
    handlers = EventHandlers(clients, run=run, is_production=app.config["IS_PRODUCTION"])
    rooms = _StartingRooms(app.config["REDIS_URL"], record=_EventLog(run), on_connected=handlers.on_connected)
    handlers.rooms = rooms
    socketio = SocketIO(
        app,
        async_mode=async_mode,
        client_manager=rooms,
        serializer=StrictPacket,
        async_handlers=False,  # a client's events are handled in order, and it cannot start threads at will
        manage_session=False,
        max_http_buffer_size=MAX_PAYLOAD_BYTES,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        cors_allowed_origins=lambda origin, environ: is_origin_allowed(origin, environ, app.config),
    )
    eio = socketio.server.eio
    eio.disconnect = lambda sid: _close_transport(eio, sid)
    handlers.register(socketio)
    rooms.sweep = Sweep(socketio.server, rooms, clients, run=run)
    return socketio


def put_gate(app: Flask, socketio: SocketIO, *, max_clients: int) -> None:
    """Limit the clients of `socketio`, which `build` has put in front of the application, and what they send."""
    inbound = Inbound(socketio.server)
    inbound.install()
    app.wsgi_app = Gate(  # type: ignore[method-assign]
        app.wsgi_app,
        clients=lambda: _open_transports(socketio.server.eio),
        clients_of=lambda address: _clients_of(socketio.server, address),
        max_clients=max_clients,
        max_clients_of_address=app.config["REALTIME_CLIENTS_PER_ADDRESS"],
        forget_closed=lambda sid: _forget_closed(socketio.server.eio, sid),
        admits=inbound.admits_payload,
        max_body_bytes=MAX_PAYLOAD_BYTES,
        is_host_ours=host_check(app.config),
    )


def _open_transports(eio: Any) -> int:
    # A closed one stays listed until the next clean-up, up to PING_TIMEOUT_S later.
    return sum(not transport.closed for transport in list(eio.sockets.values()))


def _clients_of(server: Any, address: str) -> int:
    """Open transports from there; the library keeps the environment of the request that opened each."""
    transports = server.eio.sockets
    return sum(
        sender(environ) == address
        for eio_sid, environ in list(server.environ.items())
        if (transport := transports.get(eio_sid)) is not None and not transport.closed
    )


def in_context(app: Flask) -> Run:
    """Calls functions in the application's context, in the thread that asks."""

    def run(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with app.app_context():
            return function(*args, **kwargs)

    return run


def _close_transport(eio: Any, sid: str) -> None:
    """End a transport after a protocol error. The stock function waits until its client has read everything: for ever,
    if the client does not want to, and with it one of our threads."""
    transport = eio.sockets.pop(sid, None)
    if transport is not None:
        transport.close(wait=False)


def _forget_closed(eio: Any, sid: str) -> None:
    transport = eio.sockets.get(sid)
    if transport is not None and transport.closed:
        eio.sockets.pop(sid, None)


class _StartingRooms(RoomManager):
    """Starts the sweep together with the feed, and sweeps at once when an operator has ended a credential."""

    sweep: Sweep

    def start_background(self) -> None:
        super().start_background()
        self.server.start_background_task(self.sweep.run_for_ever)

    def check_credentials(self) -> None:
        self.sweep.end_credentials()


class _EventLog:
    """The event log, as RoomManager reads it."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def head(self) -> int:
        return self._run(subscriptions.last_sequence)

    def pushes_after(self, sequence: int, *, limit: int) -> tuple[list[PushMessage], int]:
        return self._run(subscriptions.pushes_after, sequence, limit=limit)


class _BoundedWebSocket(SimpleWebSocketWSGI):
    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(handler, server, max_message_size=MAX_PAYLOAD_BYTES)

    def close(self) -> None:
        """With the connection under it: a client that does not answer the closing frame would keep its thread."""
        super().close()
        with suppress(OSError):  # the client was faster
            self.ws.sock.shutdown(socket.SHUT_RDWR)

"""Closes connections whose credential is no longer valid, clients that never showed one, and transports without a client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from app import clock, database_clock
from app.errors import AuthenticationTimeout, GatewayError, InvalidApiKey, TokenExpired, TokenInvalid
from app.services.realtime import subscriptions
from app.websocket.clients import Clients
from app.websocket.events import Run
from app.websocket.rooms import NAMESPACE, RoomManager

SWEEP_S: Final = 15
"""How often credentials are checked: a client whose credential is no longer valid gets pushes for about this long."""

ANONYMOUS_S: Final = 10
"""How long a connection may stay without the Socket.IO connect packet, and a client without a credential and without a
payment that it watches: whoever has no business here holds no connection."""

TICK_S: Final = 1
READING_S: Final = 1

log = structlog.get_logger("realtime")


class Sweep:
    def __init__(self, server: Any, rooms: RoomManager, clients: Clients, *, run: Run) -> None:
        self._server = server
        self._rooms = rooms
        self._clients = clients
        self._run = run
        self._silent_since: dict[str, float] = {}
        self._idle_since: dict[str, float] = {}

    def run_for_ever(self) -> None:
        checked_at = time.monotonic()
        while True:
            self._server.sleep(TICK_S)
            self._attempt(self.follow_clock)
            self._attempt(self.end_silent)
            self._attempt(self.end_anonymous)
            if time.monotonic() - checked_at >= SWEEP_S:
                checked_at = time.monotonic()
                self.end_credentials()

    def follow_clock(self) -> None:
        """Credentials are judged by the database's clock."""
        self._run(database_clock.follow)

    def end_credentials(self) -> None:
        """`end_sessions` and `end_keys`. When the database is away, the next sweep does it."""
        self._attempt(self.end_sessions)
        self._attempt(self.end_keys)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except GatewayError as error:
            log.warning("realtime.sweep_failed", error=error.code)
        except Exception:
            log.exception("realtime.sweep_failed")

    def end_sessions(self) -> None:
        """Disconnect clients whose token has expired, session ended or user was suspended; an error event has the reason."""
        now = clock.now()
        signed_in = self._clients.signed_in()
        for sid, claims in signed_in.items():
            if claims.expires_at <= now:
                self._end(sid, TokenExpired())
        remaining = {sid: claims for sid, claims in signed_in.items() if claims.expires_at > now}
        if not remaining:
            return
        sessions = {claims.session_id for claims in remaining.values()}
        live = self._run(subscriptions.live_sessions, sessions, now=now)
        for sid, claims in remaining.items():
            if claims.session_id not in live:
                self._end(sid, TokenInvalid("This session has ended; log in again."))

    def end_keys(self) -> None:
        """Disconnect clients whose API key was revoked or whose tenant was suspended; an error event has the reason."""
        merchants = self._clients.merchants()
        if not merchants:
            return
        live = self._run(subscriptions.live_keys, {merchant.credential for merchant in merchants.values()})
        for sid, merchant in merchants.items():
            if merchant.credential not in live:
                self._end(sid, InvalidApiKey())

    def end_silent(self) -> None:
        """Close transports that are open without a client on them: refused, disconnected, or never connected."""
        instant = time.monotonic()
        in_use = {eio_sid for _, eio_sid in self._rooms.get_participants(NAMESPACE, None)}
        transports = list(self._server.eio.sockets)
        self._silent_since = {
            eio_sid: self._silent_since.get(eio_sid, instant)
            for eio_sid in transports
            if eio_sid not in in_use
        }
        for eio_sid, since in self._silent_since.items():
            if instant - since >= ANONYMOUS_S:
                self._server.eio.disconnect(eio_sid)

    def end_anonymous(self) -> None:
        """Disconnect clients that have no credential and watch nothing; an error event has the reason."""
        instant = time.monotonic()
        self._idle_since = {
            sid: self._idle_since.get(sid, instant)
            for sid in self._clients.anonymous()
            if not self._rooms.watched(sid)
        }
        for sid, since in self._idle_since.items():
            if instant - since >= ANONYMOUS_S:
                transport = self._rooms.eio_sid_from_sid(sid, NAMESPACE)
                self._end(sid, AuthenticationTimeout())
                # Its transport goes, too, once it has had the time to read why.
                self._silent_since[transport] = instant - ANONYMOUS_S + READING_S

    def _end(self, sid: str, error: GatewayError) -> None:
        self._rooms.send_to(sid, "error", {"code": error.code, "message": error.message})
        self._server.disconnect(sid, namespace=NAMESPACE)

"""Rooms and their members, and pushes from Redis: each client receives its own in order and once.

The library's own manager would publish every answer to Redis and lose a push when a room changes under it; this one
keeps answers in the process and guards its tables with a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
from engineio.exceptions import SocketIsClosedError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from socketio import manager, packet

from app.events.push import TIMEOUT_S, channel_of, decode
from app.events.push_messages import CREDENTIALS_ENDED, PushMessage, hint_of
from app.redis_client import Outage, connect

NAMESPACE: Final = "/"

FIRST_FEED_S: Final = 2.0
"""How long the first client's handshake waits for the Redis channel."""

RETRY_S: Final = 0.5
HEALTH_CHECK_S: Final = 5
REMEMBERED_EVENTS: Final = 10_000
"""The relay pushes again what it is not sure of, and _catch_up reads what may be under way: the second is dropped."""

CATCH_UP_BATCH: Final = 500
MAX_CATCH_UP_BATCHES: Final = 40

log = structlog.get_logger("realtime")


class Record(Protocol):
    """The event log, read through whatever keeps this process responsive."""

    def head(self) -> int: ...

    def pushes_after(self, sequence: int, *, limit: int) -> tuple[list[PushMessage], int]: ...


class RoomManager(manager.Manager):
    """`on_connected(sid)` is called for each client right after its connection was acknowledged."""

    def __init__(self, redis_url: str, *, record: Record, on_connected: Callable[[str], None]) -> None:
        super().__init__()
        self._redis_url = redis_url
        self._record = record
        self._on_connected = on_connected
        self._lock = threading.RLock()
        self._outage = Outage("realtime", "Clients get the updates when Redis is available again.")
        self._is_listening = False
        self._is_fed = threading.Event()
        self._sequence: int | None = None
        self._delivered: dict[str, None] = {}
        # room -> client -> sequence of the last push it was shown there; -1: none yet
        self._shown: dict[str, dict[str, int]] = {}
        self._watched: dict[str, set[str]] = {}

    # --- clients and rooms

    def pre_connect(self, eio_sid: str, namespace: str) -> Any:
        with self._lock:
            return super().pre_connect(eio_sid, namespace)

    def connect(self, sid: str, namespace: str) -> Any:
        with self._lock:
            sid = super().connect(sid, namespace)
        self._on_connected(sid)
        return sid

    def pre_disconnect(self, sid: str, namespace: str) -> Any:
        with self._lock:
            return super().pre_disconnect(sid, namespace)

    def disconnect(self, sid: str, namespace: str, **_: Any) -> None:
        with self._lock:
            for room in self._watched.pop(sid, ()):
                self._forget(sid, room)
            super().disconnect(sid, namespace)

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        with self._lock:
            super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        with self._lock:
            super().basic_leave_room(sid, namespace, room)

    def get_participants(self, namespace: str, room: Any) -> Any:
        with self._lock:
            return list(super().get_participants(namespace, room))

    # --- watching one payment

    def watched(self, sid: str) -> frozenset[str]:
        """The rooms this client watches."""
        with self._lock:
            return frozenset(self._watched.get(sid, ()))

    def watch(self, sid: str, room: str) -> None:
        """Join; what `show` is given next is newer than nothing. Harmless when the client has just gone."""
        with self._lock:
            if not self.is_connected(sid, NAMESPACE):
                return
            self.enter_room(sid, NAMESPACE, room)
            self._watched.setdefault(sid, set()).add(room)
            self._shown.setdefault(room, {})[sid] = -1

    def unwatch(self, sid: str, room: str) -> None:
        """Leave a room joined by `watch`; any other room stays."""
        with self._lock:
            if room in self._watched.get(sid, ()):
                self._watched[sid].discard(room)
                self._forget(sid, room)
                self.leave_room(sid, NAMESPACE, room)

    def show(self, sid: str, room: str, state: PushMessage) -> None:
        """Send a state that was read from the database, unless a push as new as it was delivered meanwhile."""
        sequence = state.payload["sequence"] or 0
        with self._lock:
            if sequence > self._shown.get(room, {}).get(sid, sequence):
                self._shown[room][sid] = sequence
                self._send(state, self.get_participants(NAMESPACE, sid))

    def _forget(self, sid: str, room: str) -> None:
        watchers = self._shown.get(room, {})
        watchers.pop(sid, None)
        if not watchers:
            self._shown.pop(room, None)

    # --- messages

    def send_to(self, sid: str, event: str, payload: dict[str, Any]) -> None:
        """Send to one client of this process; harmless when it has just gone."""
        self._send(PushMessage(event, payload, ()), self.get_participants(NAMESPACE, sid))

    def deliver(self, message: PushMessage) -> None:
        """To every client in any of the message's rooms, once; watchers who saw its state or a later one: not. Who may not see a
        payment gets the hint that it has changed.

        CREDENTIALS_ENDED is for no client: those whose credential has ended are gone before the next message.
        """
        if message.event == CREDENTIALS_ENDED:
            self.check_credentials()
        with self._lock:
            if self._is_repeated(message.payload.get("event_id")):
                return
            sequence: int | None = message.payload.get("sequence")
            stale = self._stale(message.rooms, sequence) if sequence is not None else set()
            audience = self.get_participants(NAMESPACE, list(message.rooms)) if message.rooms else []
            self._send(message, [member for member in audience if member[0] not in stale])
            if (hint := hint_of(message)) is not None:
                self._send(hint, self.get_participants(NAMESPACE, list(hint.rooms)))
            if sequence is not None:
                self._sequence = sequence

    def check_credentials(self) -> None:
        """Disconnect clients whose credential has ended; must not raise."""

    def _is_repeated(self, event_id: str | None) -> bool:
        if event_id is None:
            return False
        if event_id in self._delivered:
            return True
        self._delivered[event_id] = None
        if len(self._delivered) > REMEMBERED_EVENTS:
            del self._delivered[next(iter(self._delivered))]
        return False

    def _stale(self, rooms: tuple[str, ...], sequence: int) -> set[str]:
        """Watchers who have been shown this sequence or a later one; for the others it is noted as shown."""
        stale = set()
        for room in rooms:
            watchers = self._shown.get(room, {})
            for sid, shown in watchers.items():
                if sequence <= shown:
                    stale.add(sid)
                else:
                    watchers[sid] = sequence
        return stale

    def _send(self, message: PushMessage, audience: list[tuple[str, str]]) -> None:
        if not audience:
            return
        data = [message.event, message.payload]
        encoded = self.server.packet_class(packet.EVENT, namespace=NAMESPACE, data=data).encode()
        for _, eio_sid in audience:
            try:
                self.server.eio.send(eio_sid, encoded)
            except SocketIsClosedError:
                continue  # it left this moment; its disconnect is on the way

    # --- the channel

    def initialize(self) -> None:
        """Called by the server when the first client arrives."""
        super().initialize()
        with self._lock:
            is_first, self._is_listening = not self._is_listening, True
        if is_first:
            self.start_background()
        self._is_fed.wait(FIRST_FEED_S)

    def start_background(self) -> None:
        """Start what runs as long as the process: called once."""
        self.server.start_background_task(self._listen_for_ever)

    def _listen_for_ever(self) -> None:
        while True:
            try:
                self._listen()
            except RedisError as error:
                self._outage.begin(error)
            except Exception as error:  # noqa: BLE001 Postgres is away: start again, missing nothing
                log.warning("realtime.feed_failed", error=type(error).__name__)
            self.server.sleep(RETRY_S)

    def _listen(self) -> None:
        # Without retries: a new connection must pass through here, or it would skip _catch_up.
        client = connect(
            self._redis_url, timeout_s=TIMEOUT_S, retries=0, health_check_interval=HEALTH_CHECK_S
        )
        with client, client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(channel_of(client.connection_pool.connection_kwargs))
            while True:
                message = pubsub.get_message(timeout=1.0)
                if message is None and pubsub.health_check_response_counter > 1:
                    raise RedisConnectionError("Redis does not answer")
                if message is not None:
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self._catch_up()
            self._is_fed.set()
            self._outage.end()
            log.info("realtime.feed_open")
        elif message["type"] == "message":
            for push in decode(message["data"]):
                self.deliver(push)

    def _catch_up(self) -> None:
        """Deliver from the log what was pushed while this process did not listen."""
        if self._sequence is None:
            self._sequence = self._record.head()
            return
        for _ in range(MAX_CATCH_UP_BATCHES):
            pushes, last = self._record.pushes_after(self._sequence, limit=CATCH_UP_BATCH)
            for push in pushes:
                self.deliver(push)
            if last == self._sequence:
                return
            self._sequence = last
        log.warning("realtime.catch_up_cut", sequence=self._sequence)

"""What clients send, before Socket.IO reads it: every packet is counted, and what cannot be decoded ends its transport.

The libraries answer both by a traceback in the log, and count nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from engineio.packet import Packet, packet_names
from engineio.payload import Payload

BURST_PACKETS: Final = 1_000
"""Packets of one transport at once, more than its client's events (clients.py): the limit of events answers first."""

PACKETS_PER_S: Final = 50

CONNECT_COST: Final = 20
"""A connect packet counts as so many: it may cost a query."""

_UNREADABLE_TEXT: Final = "2"
"""A packet that StrictPacket takes for unreadable: an event without a name."""

log = structlog.get_logger("realtime")


@dataclass(slots=True)
class _Allowance:
    packets: float = BURST_PACKETS
    counted_at: float = field(default_factory=time.monotonic)

    def take(self, cost: int) -> bool:
        """Whether so many packets were left."""
        instant = time.monotonic()
        refilled = self.packets + (instant - self.counted_at) * PACKETS_PER_S
        self.packets, self.counted_at = min(refilled, BURST_PACKETS) - cost, instant
        return self.packets >= 0


class Inbound:
    """Guards a Socket.IO server. Safe to share between threads."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._allowances: WeakKeyDictionary[Any, _Allowance] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def install(self) -> None:
        """Put itself before the server's own reading of messages and of WebSocket frames."""
        eio = self._server.eio
        eio.on("message", self.receive)
        stock = eio._async["websocket"]
        # The handler is a method of the transport.
        guarded = lambda handler, server: stock(  # noqa: E731 a class for its caller
            lambda frames: handler(_Frames(frames, handler.__self__, self)), server
        )
        eio._async = {**eio._async, "websocket": guarded}

    def receive(self, eio_sid: str, data: Any) -> None:
        """Hand a message to the server, as text or bytes that are not empty."""
        is_connected = self._server.manager.sid_from_eio_sid(eio_sid, "/") is not None
        if not is_connected and not (isinstance(data, str) and data.startswith("0")):
            return  # only a connect packet may come first
        if not isinstance(data, (str, bytes)) or not data:
            data = _UNREADABLE_TEXT
        self._server._handle_eio_message(eio_sid, data)

    def admits(self, transport: Any, packet: Packet) -> bool:
        """Count a packet. False: the transport has used up its allowance, and is to be ended."""
        is_connect = isinstance(packet.data, str) and packet.data.startswith("0")
        with self._lock:
            allowance = self._allowances.setdefault(transport, _Allowance())
            is_admitted = allowance.take(CONNECT_COST if is_connect else 1)
        if not is_admitted:
            log.warning("realtime.flooded")
        return is_admitted

    def admits_payload(self, sid: str, body: bytes) -> bool:
        """Count the packets of a polling client's POST. False: one too many, or it cannot be decoded; its transport has
        been ended."""
        transport = self._server.eio.sockets.get(sid)
        if transport is None:
            return True  # answered by the server: there is no such transport
        packets = _packets_in(body)
        if packets is not None and all(self.admits(transport, packet) for packet in packets):
            return True
        self._server.eio.disconnect(sid)
        return False


class _Frames:
    """A WebSocket that closes, as if its client had, at the first frame that is not admitted."""

    def __init__(self, websocket: Any, transport: Any, inbound: Inbound) -> None:
        self._websocket = websocket
        self._transport = transport
        self._inbound = inbound

    def __getattr__(self, name: str) -> Any:
        return getattr(self._websocket, name)

    def wait(self) -> Any:
        frame = self._websocket.wait()
        if frame is None or len(frame) > self._transport.server.max_http_buffer_size:
            return None
        packet = _packet_in(frame)
        return frame if packet is not None and self._inbound.admits(self._transport, packet) else None


def _packet_in(frame: str | bytes) -> Packet | None:
    try:
        packet = Packet(encoded_packet=frame)
    except (ValueError, TypeError, RecursionError):
        return None
    return packet if packet.packet_type < len(packet_names) else None


def _packets_in(body: bytes) -> list[Packet] | None:
    try:
        packets: list[Packet] = Payload(encoded_payload=body.decode()).packets
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return packets

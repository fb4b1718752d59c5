"""Socket.IO packets as clients send them, made safe to hand to the server."""

from __future__ import annotations

from typing import Any, Final

from socketio import packet

UNREADABLE: Final = ""
"""The event's name when the packet could not be read: no client can send it otherwise."""

_RESERVED: Final = frozenset({"connect", "disconnect", "*", UNREADABLE})
"""Names with a meaning in the library: for an event named `*` it calls the handler of all other events as if the first
argument were the id of the connection."""

_DEFAULT_NAMESPACE: Final = (None, "/")

MAX_ATTACHMENTS: Final = 10


class StrictPacket(packet.Packet):
    """What is no packet becomes the event UNREADABLE, which is answered with an error; the stock class raises and disconnects."""

    packet_type: Any
    data: Any
    namespace: str | None
    id: int | None
    attachment_count: int

    def decode(self, encoded_packet: Any) -> int:
        try:
            attachments: int = super().decode(encoded_packet)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return self._become_unreadable()
        if self.packet_type == packet.CONNECT and self.id is not None:
            self.data = [
                UNREADABLE
            ]  # a number as auth reads like a packet's id; refused, not taken for no auth
        is_event = self.packet_type in (packet.EVENT, packet.BINARY_EVENT)
        if is_event and (not _is_event(self.data) or self.namespace not in _DEFAULT_NAMESPACE):
            return self._become_unreadable()
        if self.packet_type == packet.BINARY_EVENT and not 0 < attachments <= MAX_ATTACHMENTS:
            return self._become_unreadable()
        is_ack = self.packet_type in (packet.ACK, packet.BINARY_ACK)
        if is_ack or self.packet_type == packet.CONNECT_ERROR or self.packet_type not in range(7):
            # The server never asks for an acknowledgement, and only servers refuse connections.
            return self._become_unreadable()
        return attachments

    def add_attachment(self, attachment: Any) -> bool:
        """No event has binary data: attachments are counted, not kept, and the event is unreadable."""
        self.attachment_count -= 1
        self.data = [UNREADABLE]
        return self.attachment_count <= 0

    def _become_unreadable(self) -> int:
        if self.packet_type == packet.CONNECT:
            self.data = [UNREADABLE]  # no client can have meant this as its auth: the connection is refused
            return 0
        self.packet_type, self.data, self.namespace, self.id = packet.EVENT, [UNREADABLE], None, None
        return 0


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in _RESERVED

"""A client that is served from two sides, the database and the pushes, sees each state once and none twice or back.

Here the test delivers the pushes, so that it can try every order; tests/contract/realtime has the real connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import socketio

from app.events.push_messages import PushMessage
from app.websocket.rooms import NAMESPACE, RoomManager

ROOM, OWN = "transaction_pmt_1", "user_usr_1"


def state(sequence: int | None) -> PushMessage:
    return PushMessage("transaction_update", {"sequence": sequence}, (ROOM, OWN))


class _Log:
    def head(self) -> int:
        return 0

    def pushes_after(self, sequence: int, *, limit: int) -> tuple[list[PushMessage], int]:
        return [], sequence


@pytest.fixture
def rooms() -> RoomManager:
    """A real Socket.IO server's rooms, with one client whose transport is an unread queue."""
    rooms = RoomManager("redis://127.0.0.1:1", record=_Log(), on_connected=lambda sid: None)
    server = socketio.Server(async_mode="threading", client_manager=rooms)
    start: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=polling"}
    rooms._is_listening = True  # nothing comes from Redis here
    rooms._is_fed.set()
    server.eio.start_service_task = False
    server.eio.start_background_task = lambda *_, **__: None
    server.eio.handle_request(environ, lambda *answer: start.append(answer))
    return rooms


@pytest.fixture
def transport(rooms: RoomManager) -> Any:
    (transport,) = rooms.server.eio.sockets.values()
    return transport


@pytest.fixture
def sid(rooms: RoomManager, transport: Any) -> Iterator[str]:
    return rooms.connect(rooms.pre_connect(transport.sid, NAMESPACE), NAMESPACE)


def seen(transport: Any) -> list[int | None]:
    """The sequences of everything that was sent."""
    sequences = []
    while not transport.queue.empty():
        _, payload = json.loads(transport.queue.get().data.removeprefix("2"))
        sequences.append(payload["sequence"])
    return sequences


@pytest.mark.parametrize("shown_at", [0, 1, 2], ids=["before", "between", "after"])
def test_the_present_state_and_late_pushes_make_no_step_back(
    rooms: RoomManager, sid: str, transport: Any, shown_at: int
) -> None:
    """The state that was read is that of event 2; the pushes of 1 and 2 are on their way."""
    rooms.watch(sid, ROOM)
    steps = [lambda: rooms.deliver(state(1)), lambda: rooms.deliver(state(2))]
    steps.insert(shown_at, lambda: rooms.show(sid, ROOM, state(2)))
    for step in steps:
        step()
    assert seen(transport) == ([2] if shown_at == 0 else [1, 2])


def test_a_state_from_before_the_first_event_is_shown_only_before_the_first_push(
    rooms: RoomManager, sid: str, transport: Any
) -> None:
    rooms.watch(sid, ROOM)
    rooms.show(sid, ROOM, state(None))
    rooms.deliver(state(1))
    rooms.unwatch(sid, ROOM)
    rooms.watch(sid, ROOM)
    rooms.deliver(state(2))
    rooms.show(sid, ROOM, state(None))
    assert seen(transport) == [None, 1, 2]


def test_a_push_sent_again_is_shown_to_watchers_once(rooms: RoomManager, sid: str, transport: Any) -> None:
    rooms.watch(sid, ROOM)
    for sequence in (1, 2, 1, 2, 3):
        rooms.deliver(state(sequence))
    assert seen(transport) == [1, 2, 3]


def test_event_pushed_again_reaches_each_client_once(rooms: RoomManager, sid: str, transport: Any) -> None:
    rooms.enter_room(sid, NAMESPACE, OWN)
    for sequence in (1, 2, 1, 2, 3):
        message = PushMessage(
            "transaction_update", {"sequence": sequence, "event_id": f"evt_{sequence}"}, (OWN,)
        )
        rooms.deliver(message)
    assert seen(transport) == [1, 2, 3]


def test_a_client_in_two_rooms_gets_a_push_once(rooms: RoomManager, sid: str, transport: Any) -> None:
    rooms.watch(sid, ROOM)
    rooms.enter_room(sid, NAMESPACE, OWN)
    rooms.deliver(state(1))
    rooms.unwatch(sid, ROOM)
    rooms.deliver(state(2))
    rooms.leave_room(sid, NAMESPACE, OWN)
    rooms.deliver(state(3))
    assert seen(transport) == [1, 2]


def test_unsubscribed_client_gets_no_pushes(rooms: RoomManager, sid: str, transport: Any) -> None:
    rooms.watch(sid, ROOM)
    rooms.pre_disconnect(sid, NAMESPACE)
    rooms.disconnect(sid, NAMESPACE)
    rooms.watch(sid, ROOM)
    rooms.show(sid, ROOM, state(1))
    rooms.deliver(state(2))
    assert seen(transport) == []
    assert (rooms._shown, rooms._watched, rooms.rooms) == ({}, {}, {})


def test_a_transport_that_closes_this_moment_does_not_cost_others_the_push(
    rooms: RoomManager, sid: str, transport: Any
) -> None:
    rooms.server.eio.handle_request(
        {"REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=polling"}, lambda *_: None
    )
    other = next(t for t in rooms.server.eio.sockets.values() if t is not transport)
    other_sid = rooms.connect(rooms.pre_connect(other.sid, NAMESPACE), NAMESPACE)
    for member in (sid, other_sid):
        rooms.enter_room(member, NAMESPACE, OWN)
    transport.closed = True
    rooms.server.eio._get_socket = lambda eio_sid: rooms.server.eio.sockets[
        eio_sid
    ]  # closed, but still found
    rooms.deliver(state(1))
    assert seen(other) == [1]

"""Packets with a meaning in the libraries, and packets of no correct client: refused, counted, and hardly logged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
import websocket as websocket_client

from tests.contract.realtime.conftest import Payer
from tests.support.realtime import python_client
from tests.support.stack import Stack
from tests.support.waiting import wait_until

LOG_ALLOWANCE_BYTES = 6_000
"""What a hundred packets of every kind below may add to the log: a few lines."""

ONE_TRACEBACK_BYTES = 1_500

REFUSED = [
    '42["*"]',
    '42["*","{sid}",{{"transaction_id":"pmt_1"}}]',
    '42["message","a"]',
    '42["json",{{}}]',
    '42["connect_error"]',
    "4",
    "4{{}}",
    "4null",
    '4""',
    '42/other,["subscribe_transaction",{{}}]',
    '451-/other,["subscribe_transaction",{{"_placeholder":true,"num":0}}]',
    '459999999999-["subscribe_transaction",{{"_placeholder":true,"num":0}}]',
    "43/other,1[]",
    '42["subscribe_transaction",{{"transaction_id":"\\ud800"}}]',
    '42["subscribe_transaction",{{"transaction_id":"pmt_1","token":"\\ud800"}}]',
]

UNCONNECTED = [
    '42["subscribe_transaction",{}]',
    '42["*"]',
    '42/other,["a"]',
    '451-["a"]',
    '451-/other,["a"]',
    "41",
    "41/other",
    "40/other,",
    "4",
    "4null",
    "3",
]
"""Sent without a connect packet."""

GONE = (websocket_client.WebSocketConnectionClosedException, OSError)
"""What the client raises when the server has closed the transport."""

UNDECODABLE = ["", "x", "ba", "4" + "[" * 20_000]


@pytest.fixture
def log_growth(stack: Stack) -> Callable[[], int]:
    """How many bytes the servers have logged since the test began."""
    logs = [stack.log("web"), stack.log("realtime")]
    before = sum(log.stat().st_size for log in logs)
    return lambda: sum(log.stat().st_size for log in logs) - before


@pytest.fixture
def websocket(url: str) -> Iterator[websocket_client.WebSocket]:
    with opened(url) as connection:
        yield connection


@contextmanager
def opened(url: str) -> Iterator[websocket_client.WebSocket]:
    """A transport whose client has not connected yet."""
    address = url.replace("http://", "ws://")
    connection = websocket_client.create_connection(
        f"{address}/socket.io/?EIO=4&transport=websocket", timeout=30
    )
    try:
        assert connection.recv().startswith("0")
        yield connection
    finally:
        connection.shutdown()


def answers(websocket: websocket_client.WebSocket, count: int) -> list[str]:
    """The next messages of the server, without pings."""
    found: list[str] = []
    while len(found) < count:
        message = websocket.recv()
        assert message, f"{len(found)} answers of {count}"
        found += [message] if message != "2" else []
    return found


def test_names_and_shapes_of_the_library_are_refused(
    payer: Payer, url: str, websocket: websocket_client.WebSocket, log_growth: Callable[[], int]
) -> None:
    """Broken by: an event named `*`, whose first argument the library takes for the id of the connection to act for."""
    with python_client(url) as neighbour:
        websocket.send("40")
        assert answers(websocket, 2)[1].startswith('42["connected"')
        for packet in REFUSED:
            websocket.send(packet.format(sid=neighbour.get_sid()))
            [answer] = answers(websocket, 1)
            assert answer.startswith('42["error",{"code":"'), (packet, answer)
        neighbour.subscribe(payer.pay())
        neighbour.received.wait_for("subscribed")
        assert neighbour.received.of("error") == []
    assert log_growth() < LOG_ALLOWANCE_BYTES


def test_credentials_that_no_header_can_hold_are_refused(
    websocket: websocket_client.WebSocket, log_growth: Callable[[], int]
) -> None:
    for auth in ('{"api_key":"\\ud800"}', '{"token":"\\ud800"}', '{"api_key":"\\u0000"}'):
        websocket.send(f"40{auth}")
        [answer] = answers(websocket, 1)
        assert answer.startswith("44{") and "INTERNAL_ERROR" not in answer, (auth, answer)
    assert log_growth() < ONE_TRACEBACK_BYTES


@pytest.mark.parametrize("packet", ['42["*"]', "4"])
def test_refused_packets_count_and_a_client_that_goes_on_is_disconnected(
    url: str, websocket: websocket_client.WebSocket, log_growth: Callable[[], int], packet: str
) -> None:
    """First the limit of events answers, then that of packets ends the transport."""
    websocket.send("40")
    answers(websocket, 2)
    for _ in range(300):
        websocket.send(packet)
    codes = [answer.split('"code":"')[1].split('"')[0] for answer in answers(websocket, 300)]
    assert set(codes[:200]) == {"INVALID_REQUEST"}
    assert "RATE_LIMIT_EXCEEDED" in codes
    assert is_ended_by(websocket, packet)
    assert log_growth() < LOG_ALLOWANCE_BYTES


def test_packets_before_the_connection_are_dropped_and_hardly_logged(
    url: str, websocket: websocket_client.WebSocket, log_growth: Callable[[], int]
) -> None:
    for packet in UNCONNECTED:
        for _ in range(10):
            websocket.send(packet)
    websocket.send("40")
    wait_until(lambda: answers(websocket, 1)[0].startswith('42["connected"'), "the connection")
    assert is_ended_by(websocket, "3")
    assert log_growth() < LOG_ALLOWANCE_BYTES


@pytest.mark.parametrize("packet", UNDECODABLE)
def test_what_cannot_be_decoded_ends_the_transport_without_a_traceback(
    url: str, log_growth: Callable[[], int], packet: str
) -> None:
    with opened(url) as websocket:
        websocket.send(packet)
        wait_until(lambda: has_ended(websocket), "the end of the transport")
    assert log_growth() < ONE_TRACEBACK_BYTES


@pytest.mark.parametrize(
    "body", [b"\x1e", b"x", b"\xff", b"d=", b"4" + b"[" * 20_000, b"\x1e".join([b"3"] * 17)]
)
def test_a_polled_body_that_cannot_be_decoded_ends_the_transport(
    url: str, log_growth: Callable[[], int], body: bytes
) -> None:
    address = polling_address(url)
    assert [requests.post(address, data=body, timeout=30).status_code for _ in range(5)] == [400] * 5
    assert log_growth() < LOG_ALLOWANCE_BYTES


def polling_address(url: str) -> str:
    address = f"{url}/socket.io/?EIO=4&transport=polling"
    opened = wait_until(lambda: (answer := requests.get(address, timeout=30)).ok and answer, "a slot")
    sid = opened.text.split('"sid":"')[1].split('"')[0]
    return f"{address}&sid={sid}"


def has_ended(websocket: websocket_client.WebSocket) -> bool:
    """Whether the server has closed it, once what it sent before was read."""
    websocket.settimeout(0.05)
    try:
        while websocket.recv():
            continue
    except websocket_client.WebSocketTimeoutException:
        return False
    except GONE:
        return True
    return True


def is_ended_by(websocket: websocket_client.WebSocket, packet: str) -> bool:
    """Whether the server ends the transport within a few thousand more packets."""
    end = time.monotonic() + 10
    try:
        while time.monotonic() < end:
            for _ in range(100):
                websocket.send(packet)
            if has_ended(websocket):
                return True
    except GONE:
        return True
    return False

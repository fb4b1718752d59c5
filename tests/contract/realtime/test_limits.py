"""What a client may not do to the server: too many, too much, too fast, or nonsense."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import requests
import socketio

from tests.contract.realtime.conftest import MakeStack, Payer
from tests.support.realtime import PythonClient, python_client
from tests.support.stack import Stack
from tests.support.waiting import SLACK_S, wait_until

SLOTS = 3


@pytest.fixture(scope="module")
def small_app(make_stack: MakeStack) -> Iterator[Stack]:
    """An app that serves few clients."""
    stack = make_stack("web", REALTIME_MAX_CLIENTS=str(SLOTS), WEB_THREADS="24")
    yield stack
    stack.kill_all()


def is_served(client: PythonClient, payment_id: str) -> bool:
    """Whether a subscription still works."""
    client.subscribe(payment_id)
    client.received.wait_for("subscribed")
    client.received.wait_for_steps(payment_id)
    return client.connected


NONSENSE = [
    None,
    5,
    True,
    "pmt",
    [],
    {},
    b"bytes",
    ({"transaction_id": "a"}, {"transaction_id": "b"}),
    {"transaction_id": None},
    {"transaction_id": 5},
    {"transaction_id": ""},
    {"transaction_id": "x" * 65},
    {"transaction_id": "x" * 60_000},
    {"transaction_id": ["pmt"]},
    {"transaction_id": {"a": 1}},
    {"transaction_id": "pmt_1", "token": 5},
    {"transaction_id": b"pmt"},
    {"id": "pmt_1"},
]


@pytest.mark.parametrize("event", ["subscribe_transaction", "unsubscribe_transaction"])
def test_nonsense_is_answered_with_an_error(payer: Payer, url: str, event: str) -> None:
    with python_client(url) as client:
        for count, data in enumerate(NONSENSE, start=1):
            client.emit(event, data)
            error = client.received.wait_for("error", count)[-1]
            assert error["code"] == "INVALID_REQUEST", data
            assert error["message"]
        assert is_served(client, payer.pay())


def test_an_unknown_payment_is_not_found(url: str) -> None:
    unknown = [
        "pmt_" + "0" * 32,
        "pmt_",
        "x",
        "transaction_pmt_1",
        "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11",
        "\0",
    ]
    with python_client(url) as client:
        for transaction_id in unknown:
            client.subscribe(transaction_id)
        assert client.received.wait_for("error", len(unknown)) == [
            {"code": "NOT_FOUND", "message": "Transaction not found.", "transaction_id": transaction_id}
            for transaction_id in unknown
        ]


RAW = [
    "42",
    "42x",
    '42"text"',
    "42{}",
    "42[]",
    "42[5]",
    "42[[]]",
    '42["subscribe_transaction"',
    "42[" + "[" * 20_000,
    '42["connect",{}]',
    '42["disconnect"]',
    '42[""]',
    '42["nobody_knows_this"]',
    "43",
    "431[]",
    "44{}",
    "47",
    "4x",
    '451-["subscribe_transaction",{"_placeholder":true,"num":7}]',
    "42[NaN]",
]


def test_malformed_packets_are_answered_and_affect_no_other_client(payer: Payer, url: str) -> None:
    with python_client(url) as client:
        for count, raw in enumerate(RAW, start=1):
            client.eio._send_packet(_Raw(raw))
            if raw.startswith("451"):
                client.eio.send(b"attachment")
            assert client.received.wait_for("error", count)[-1]["code"] == "INVALID_REQUEST", raw
        assert is_served(client, payer.pay())


class _Raw:
    """An Engine.IO packet whose text is exactly this."""

    packet_type, data, binary = 4, None, False

    def __init__(self, text: str) -> None:
        self._text = text

    def encode(self, b64: bool = False) -> str:
        return self._text


def test_one_client_watches_at_most_a_hundred_payments(payer: Payer, url: str) -> None:
    payments = payer.pay_many(101)
    with python_client(url) as client:
        for payment_id in payments:
            client.subscribe(payment_id)
        error = client.received.wait_for("error")[0]
        assert error["transaction_id"] == payments[100]
        client.subscribe(payments[0])  # it watches that one already
        client.received.wait_for("subscribed", 101)
        client.emit("unsubscribe_transaction", {"transaction_id": payments[0]})
        client.subscribe(payments[100])
        client.received.wait_for_steps(payments[100])


def test_flooding_client_is_throttled_without_affecting_others(payer: Payer, url: str) -> None:
    with python_client(url) as flooder, python_client(url, payer.sender.access_token) as neighbour:
        for _ in range(400):
            flooder.emit("unsubscribe_transaction", {"transaction_id": "pmt_1"})
        flooder.received.wait_for("unsubscribed", 200)
        wait_until(
            lambda: {e["code"] for e in flooder.received.of("error")} == {"RATE_LIMIT_EXCEEDED"}, "the limit"
        )
        assert len(flooder.received.of("unsubscribed")) < 400
        neighbour.received.wait_for_steps(payer.pay())


def test_a_payload_above_the_limit_ends_that_client_only(payer: Payer, url: str) -> None:
    with (
        python_client(url, payer.sender.access_token) as neighbour,
        python_client(url, reconnection=False) as greedy,
    ):
        greedy.emit("subscribe_transaction", {"transaction_id": "x" * 70_000})
        wait_until(lambda: not greedy.connected, "the connection to end")
        neighbour.received.wait_for_steps(payer.pay())


@pytest.mark.parametrize(
    "body", [b"4" + b"x" * 70_000, b"0", b"2", b"7"], ids=["too long", "open", "ping", "unknown"]
)
def test_a_polling_client_that_breaks_the_protocol_is_refused_at_once(url: str, body: bytes) -> None:
    """Although it never reads: no thread waits for it."""
    address = _polling_session(url)
    assert requests.post(address, data=body, timeout=30).status_code == 400
    assert requests.post(address, data=b"3", timeout=30).status_code == 400  # it is gone


def test_a_client_that_ignores_the_closing_frame_holds_no_connection(url: str) -> None:
    """It held one, and a thread, for 45 seconds, whoever had ended it: the server waited for an answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SLACK_S) as raw:
        raw.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        wait_until(lambda: b"pingInterval" in raw.recv(4096), "the open packet")
        raw.sendall(b"\x81\x81\x00\x00\x00\x001")  # the text frame "1": it leaves, and reads no more
        while raw.recv(4096):
            pass


def test_the_app_takes_only_so_many_clients_and_rest_goes_on(small_app: Stack) -> None:
    with python_client(small_app.url), python_client(small_app.url):
        with python_client(small_app.url):
            refused = requests.get(f"{small_app.url}/socket.io/?EIO=4&transport=polling", timeout=30)
            assert refused.status_code == 503
            assert refused.json()["code"] == "TOO_MANY_CLIENTS"
            assert refused.headers["Retry-After"] == "5"
            with pytest.raises(socketio.exceptions.ConnectionError):
                socketio.Client(reconnection=False).connect(small_app.url)
            for _ in range(10):
                assert requests.get(f"{small_app.url}/health/live", timeout=SLACK_S).status_code == 200
    address = _polling_session(small_app.url)
    assert requests.post(address, data=b"1", timeout=30).status_code == 200  # the slot is free again


def test_half_open_polls_leave_threads_for_rest_and_the_app_stops_within_seconds(small_app: Stack) -> None:
    """A client polls many times at once, which no correct client does: the requests in flight are limited too.

    Last in this file: it ends the app.
    """
    with ExitStack() as opened:
        for _ in range(SLOTS - 1):
            opened.enter_context(python_client(small_app.url, reconnection=False))
        address = _polling_session(small_app.url)
        for _ in range(60):
            opened.enter_context(closing(_hanging_poll(small_app, address)))
        assert requests.get(f"{small_app.url}/health/live", timeout=SLACK_S).status_code == 200
        assert small_app.stop("web") < 4 + SLACK_S


def _polling_session(url: str) -> str:
    """Where the transport of a new client polls, once there is a slot for it."""
    address = f"{url}/socket.io/?EIO=4&transport=polling"
    opened = wait_until(lambda: (answer := requests.get(address, timeout=30)).ok and answer, "a slot")
    sid = opened.text.split('"sid":"')[1].split('"')[0]
    return f"{address}&sid={sid}"


def _hanging_poll(stack: Stack, address: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", stack.port))
    path = address.removeprefix(stack.url)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{stack.port}\r\n\r\n".encode())
    return connection

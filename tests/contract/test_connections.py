"""Clients that keep their side of a connection open: the others are answered all the same."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from tests.support.stack import Stack

ROUNDS = 6
STALLED_S = 2.0
"""What gunicorn's main loop would wait for each of them."""


def test_a_client_that_does_not_close_its_connection_delays_no_other(stack: Stack) -> None:
    """Seen failing when the connection is left to gunicorn to close."""
    address = urlsplit(stack.url)
    request = f"GET /api/v1/version HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode()
    began = time.monotonic()
    with ExitStack() as left_open:
        for _ in range(ROUNDS):
            client = left_open.enter_context(socket.create_connection((address.hostname, address.port)))
            client.settimeout(10)
            client.sendall(request)
            answer = client.recv(65_536)
            assert b"200 OK" in answer.partition(b"\r\n")[0], answer
    assert time.monotonic() - began < (ROUNDS - 1) * STALLED_S / 2

"""A closed-loop HTTP client with little overhead: raw keep-alive sockets, requests joined from prepared bytes.

It shares the machine with what it measures, so its own processor time is reported with every figure.
"""

from __future__ import annotations

import itertools
import re
import select
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

ANSWER_TIMEOUT_S = 60.0

REQUESTS_PER_CONNECTION = 200
"""A connection belongs to one gunicorn worker: made anew from time to time, they spread over all of them."""

RETRY_TICK_S = 0.05
"""How often the client checks whether a request is due for a retry."""

_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)

Request = tuple[bytes, bytes]
"""What comes before the idempotency key, and what comes after it."""


@dataclass
class Load:
    """The result of a load. Times are seconds; `latencies` and `count` cover the measured window only."""

    seconds: float = 0.0
    count: int = 0
    latencies: list[float] = field(default_factory=list)
    answered: int = 0
    """All expected answers, warm-up included."""
    retried: int = 0
    """409 answers with Retry-After: the same request was sent again after that time, and its latency includes the wait."""
    unexpected: list[str] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._answer = bytearray()
        self._needed = 0
        self._request = b""
        self.used = 0
        self.sent_at = 0.0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port), ANSWER_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.used = 0

    def send(self, request: bytes) -> None:
        self.used += 1
        self.sent_at = time.perf_counter()
        self._request = request
        self.socket.sendall(request)

    def send_again(self) -> None:
        self.socket.sendall(self._request)

    def receive(self) -> bytes | None:
        """The whole answer, or None while some of it is missing. ConnectionError when the server closed the
        connection."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed the connection before it answered")
        self._answer += data
        if not self._needed:
            end = self._answer.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = bytes(self._answer[:end]).lower()
            length = head.index(b"content-length:") + 15
            self._needed = end + 4 + int(head[length:].split(b"\r\n", 1)[0])
        if len(self._answer) < self._needed:
            return None
        answer = bytes(self._answer)
        self._answer.clear()
        self._needed = 0
        return answer


def run(
    port: int,
    requests: list[Request],
    *,
    clients: int,
    warm_up_s: float,
    seconds: float,
    at_window: Callable[[], None],
    expected: int = 201,
) -> Load:
    """Keep `clients` requests under way, each with a fresh key; `at_window` is called as the window opens and closes.

    expected: the status that every answer must have.
    """
    status = b"HTTP/1.1 %d" % expected
    load = Load()
    endless = _with_keys(requests)
    poll = select.epoll()
    connections: dict[int, _Connection] = {}
    for _ in range(clients):
        _add(connections, poll, _Connection(port), next(endless))
    opens = time.perf_counter() + warm_up_s
    closes = opens + seconds
    is_open = False
    for connection, answer in _answers(connections, poll, load):
        instant = time.perf_counter()
        if not is_open and opens <= instant < closes:
            is_open, opens = True, instant
            at_window()
        elif is_open and instant >= closes:
            is_open, load.seconds = False, instant - opens
            at_window()
        _count(load, answer, instant - connection.sent_at, status=status, is_measured=is_open)
        if instant >= closes or connection.used >= REQUESTS_PER_CONNECTION:
            del connections[connection.socket.fileno()]
            connection.socket.close()
            if instant < closes:
                _add(connections, poll, _Connection(port), next(endless))
        else:
            connection.send(next(endless))
    return load


def _add(
    connections: dict[int, _Connection], poll: select.epoll, connection: _Connection, request: bytes
) -> None:
    connections[connection.socket.fileno()] = connection
    poll.register(connection.socket, select.EPOLLIN)
    connection.send(request)


def _answers(
    connections: dict[int, _Connection], poll: select.epoll, load: Load
) -> Iterator[tuple[_Connection, bytes]]:
    """Answers as they arrive, until no connection is left. A request answered with 409 and Retry-After is sent again."""
    waiting: dict[_Connection, float] = {}
    last_answer_at = time.perf_counter()
    while connections:
        ready = poll.poll(RETRY_TICK_S if waiting else ANSWER_TIMEOUT_S)
        now = time.perf_counter()
        last_answer_at = now if ready else last_answer_at
        if now - last_answer_at > ANSWER_TIMEOUT_S:
            raise TimeoutError(f"no answer for {ANSWER_TIMEOUT_S:g} s")
        for connection in [each for each, due in waiting.items() if due <= now]:
            del waiting[connection]
            connection.send_again()
        for connection in [connections[number] for number, _ in ready]:
            answer = connection.receive()
            if answer is None:
                continue
            pause_s = _retry_after_s(answer)
            if pause_s is None or now - connection.sent_at > ANSWER_TIMEOUT_S:
                yield connection, answer
            else:
                load.retried += 1
                waiting[connection] = now + pause_s


def _retry_after_s(answer: bytes) -> float | None:
    """Seconds after which the same request may be sent again; None for any other answer."""
    if not answer.startswith(b"HTTP/1.1 409"):
        return None
    found = _RETRY_AFTER.search(answer, 0, answer.find(b"\r\n\r\n"))
    return float(found[1]) if found else None


def _count(load: Load, answer: bytes, latency_s: float, *, status: bytes, is_measured: bool) -> None:
    if not answer.startswith(status):
        load.unexpected.append(answer[:600].decode(errors="replace"))
        return
    load.answered += 1
    if is_measured:
        load.count += 1
        load.latencies.append(latency_s)


def _with_keys(requests: list[Request]) -> Iterator[bytes]:
    run_id = uuid.uuid4().hex
    numbers = itertools.count()
    for before, after in itertools.cycle(requests):
        yield b"%s%s-%012d%s" % (before, run_id.encode(), next(numbers), after)

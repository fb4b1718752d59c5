"""One POST to a checked address, over within a fixed time whatever the other side does.

Guarantees: no redirect is followed; TLS certificates are checked for the URL's host, whose name Host and SNI carry, while the connection goes
to the address that was checked; nothing is read beyond MAX_ANSWER_BYTES; every wait ends at the deadline, also for an answer
that arrives byte by byte.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from app.services.deadlines import TimedReads, seconds_left
from app.services.webhooks.addresses import Destination, UrlRefused, resolve

DEADLINE_S: Final = 10.0
"""For all of it: the name, the connection, the request and the answer."""

MAX_ANSWER_BYTES: Final = 4096

_PIECE: Final = 16_384
_MAX_ADDRESSES: Final = 3
"""Tried in the resolver's order, where connecting fails."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """status: of the answer, or None and `error` why there is none. answer: at most MAX_ANSWER_BYTES, as text. address: what was
    connected to. retry_after: that header."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    address: str | None = None
    retry_after: str | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(
    destination: Destination,
    headers: Mapping[str, str],
    body: bytes,
    *,
    deadline_s: float = DEADLINE_S,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """Send it once. Never raises for what the other side or the network does."""
    began = time.monotonic()
    until, address = began + deadline_s, None
    try:
        addresses = resolve(destination, within_s=deadline_s / 2)
        connected, address = _connected(destination, addresses, until, tls)
        with connected:
            _send(connected, _request(destination, headers, body), until)
            status, retry_after, text = _answer(connected, until)
        return Outcome(_ms(began), status, answer=text, address=address, retry_after=retry_after)
    except UrlRefused:
        error = "address_refused"
    except socket.gaierror:
        error = "name_not_found"
    except TimeoutError:
        error = "timeout"
    except ssl.SSLError:
        error = "tls_failed"
    except ConnectionRefusedError:
        error = "connection_refused"
    except (OSError, http.client.HTTPException, ValueError):
        error = "connection_failed" if address is None else "no_valid_answer"
    return Outcome(_ms(began), error=error, address=address)


def _connected(
    destination: Destination, addresses: Any, until: float, tls: ssl.SSLContext | None
) -> tuple[socket.socket, str]:
    """A connection to the first address that accepts one, encrypted where the URL says so."""
    for number, address in enumerate(addresses[:_MAX_ADDRESSES], start=1):
        try:
            plain = socket.create_connection((address, destination.port), timeout=seconds_left(until))
        except OSError:
            if number == min(len(addresses), _MAX_ADDRESSES):
                raise
            continue
        if not destination.is_tls:
            return plain, address
        try:
            plain.settimeout(seconds_left(until))
            return (tls or _default_tls()).wrap_socket(plain, server_hostname=destination.host), address
        except BaseException:
            plain.close()
            raise
    raise OSError("The name has no address.")


@cache
def _default_tls() -> ssl.SSLContext:
    """Made once: reading the system's certificates takes longer than sending."""
    return ssl.create_default_context()


def _request(destination: Destination, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {
        "Host": destination.authority,
        "User-Agent": "Malipo-Webhooks/1.0",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    head = [f"POST {destination.target} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def _send(connected: socket.socket, content: bytes, until: float) -> None:
    """In pieces: over TLS each would have the time-out for itself."""
    for start in range(0, len(content), _PIECE):
        connected.settimeout(seconds_left(until))
        connected.sendall(content[start : start + _PIECE])


def _answer(connected: socket.socket, until: float) -> tuple[int, str | None, str]:
    """Status, Retry-After, and the beginning of the body. A body that breaks off does not undo the status."""
    reader = http.client.HTTPResponse(_Timed(connected, until), method="POST")  # type: ignore[arg-type]
    try:
        reader.begin()
        return reader.status, reader.getheader("Retry-After"), _beginning(reader)
    finally:
        reader.close()


def _beginning(reader: http.client.HTTPResponse) -> str:
    """Of the body, as far as it arrives: the status has, and it decides."""
    content = bytearray()
    while piece := _next_piece(reader, MAX_ANSWER_BYTES - len(content)):
        content += piece
    return content.decode("utf-8", errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _next_piece(reader: http.client.HTTPResponse, at_most: int) -> bytes:
    try:
        return reader.read1(at_most)
    except (OSError, http.client.HTTPException, ValueError):
        return b""


class _Timed:
    """What HTTPResponse takes for a socket: one whose every read ends at the deadline."""

    def __init__(self, connected: socket.socket, until: float) -> None:
        self._connected = connected
        self._until = until

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(TimedReads(self._connected, self._until))


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)

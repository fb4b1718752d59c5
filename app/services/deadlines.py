"""Waits of the network that end at a deadline: of name look-ups, and of reads that may get one byte at a time."""

from __future__ import annotations

import io
import queue
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any


def seconds_left(until: float) -> float:
    """Until this instant of the monotonic clock. Raises TimeoutError when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("The time is over.")
    return left


class TimedReads(io.RawIOBase):
    """What is read from a socket, each wait at most until an instant of the monotonic clock. Closing it leaves the socket open."""

    def __init__(self, connected: socket.socket, until: float) -> None:
        super().__init__()
        self._connected = connected
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connected.settimeout(seconds_left(self._until))
        return self._connected.recv_into(buffer)


def addresses_of(host: str, port: int, *, within_s: float) -> Sequence[str]:
    """In the resolver's order, each once. Raises OSError (TimeoutError, too) when there is none.

    The system's resolver cannot be interrupted: it is asked on a thread that is left behind when it hangs.
    """
    answers: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except OSError as error:
            answers.put(error)
        except Exception as error:  # noqa: BLE001 a caller must not wait for a thread that has died
            answers.put(OSError(f"The name cannot be looked up ({type(error).__name__})."))

    threading.Thread(target=ask, daemon=True, name="resolve").start()
    try:
        answer = answers.get(timeout=within_s)
    except queue.Empty:
        raise TimeoutError("The name's addresses were not found in time.") from None
    if isinstance(answer, OSError):
        raise answer
    return answer

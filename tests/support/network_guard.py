"""No test connects to another machine."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

_connect = socket.socket.connect
_look_up = socket.getaddrinfo


class ExternalConnection(AssertionError):
    """A test tried to reach another machine."""


def forbid_external() -> None:
    """Let sockets of this process reach 127.0.0.0/8, ::1 and Unix sockets only."""

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise ExternalConnection(f"a test connects to {address[0]}")
        _connect(self, address)

    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, "", "localhost") and not _is_local(name):
            raise ExternalConnection(f"a test looks up {name}")
        return _look_up(host, *args, **kwargs)

    socket.socket.connect = connect  # type: ignore[method-assign]
    socket.getaddrinfo = look_up


def allow_external() -> None:
    socket.socket.connect = _connect  # type: ignore[method-assign]
    socket.getaddrinfo = _look_up


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified

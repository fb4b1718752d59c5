"""Simultaneous requests: every byte but the last is sent, then all last bytes at once."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

ANSWER_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Call:
    """One request. `key` becomes its Idempotency-Key. headers: beside those."""

    path: str
    body: Mapping[str, Any]
    token: str
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def wire(self, host: str) -> bytes:
        body = json.dumps(self.body).encode()
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: {host}",
            "Content-Type: application/json",
            "Connection: close",
            f"Content-Length: {len(body)}",
            f"Authorization: Bearer {self.token}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.key is not None:
            lines.append(f"Idempotency-Key: {self.key}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str | None:
        """The refusal's code, if this is one."""
        return self.body["error"]["code"] if self.status >= 400 else None

    @property
    def is_replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


def send_simultaneously(url: str, calls: Sequence[Call]) -> list[Answer]:
    """Send every call so that their last bytes leave together; the answers, in the calls' order."""
    target = urlsplit(url)
    assert target.hostname
    assert target.port
    network_guard = [
        socket.create_connection((target.hostname, target.port), ANSWER_TIMEOUT_S) for _ in calls
    ]
    try:
        lasts = []
        for opened, call in zip(network_guard, calls, strict=True):
            wire = call.wire(target.netloc)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.sendall(wire[:-1])
            lasts.append(wire[-1:])
        for opened, last in zip(network_guard, lasts, strict=True):
            opened.send(last)
        return [_answer(opened) for opened in network_guard]
    finally:
        for opened in network_guard:
            opened.close()


def _answer(opened: socket.socket) -> Answer:
    response = HTTPResponse(opened, method="POST")
    response.begin()
    text = response.read()
    return Answer(response.status, json.loads(text), dict(response.getheaders()))


def new_key() -> str:
    return secrets.token_hex(16)

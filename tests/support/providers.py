"""Adapters for tests: on an account of their own, with tokens in memory and every call recorded; and a scripted
provider."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from app.providers.base import CallRecord, Capabilities, Context, FreshToken, Provider
from app.providers.settings import Account
from tests.support.http_listener import HttpListener, Received, say

P = TypeVar("P", bound=Provider)

LEAST = Capabilities(
    currencies=MappingProxyType({}),
    needs=frozenset(),
    countries=frozenset(),
    whole_units=False,
    has_payment_page=False,
    inquiry_kinds=frozenset(),
    is_resend_safe=False,
    can_inquire_by_reference=False,
    can_refund=False,
    can_refund_partially=False,
    can_refund_repeatedly=False,
    can_cancel=False,
    payouts=MappingProxyType({}),
    signs_callbacks=False,
    has_statement=False,
    statement_reach=timedelta(0),
    lists_refunds=False,
    expires_after=timedelta(hours=24),
    horizon=timedelta(hours=24),
    costs=MappingProxyType({}),
    moves_real_money=True,
)
"""A provider that can do nothing: tests replace what they need."""

EARLY_S = 60
"""A token is not used in the last seconds of its life."""


@dataclass
class MemoryTokens:
    """A TokenStore in memory. fetched: how many tokens were made."""

    fetched: int = 0
    _kept: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str, fetch: Callable[[], FreshToken], *, rejected: str | None = None) -> str:
        with self._lock:
            token, ends = self._kept.get(key, ("", 0.0))
            if token and token != rejected and time.monotonic() < ends:
                return token
            fresh = fetch()
            self.fetched += 1
            self._kept[key] = (fresh.token, time.monotonic() + fresh.life_s - EARLY_S)
            return fresh.token


@dataclass
class Observed:
    """What `Context.observe` received."""

    calls: list[CallRecord] = field(default_factory=list)

    def __call__(self, record: CallRecord) -> None:
        self.calls.append(record)

    @property
    def last(self) -> CallRecord:
        return self.calls[-1]


def make_provider(
    cls: type[P],
    base_url: str = "http://127.0.0.1:9",
    *,
    tokens: MemoryTokens | None = None,
    observe: Callable[[CallRecord], None] | None = None,
    timeout_s: float = 5.0,
    account_id: str = "test-account",
    **values: str,
) -> P:
    """A provider on an account of the sandbox. values: its settings; those not named have their defaults.

    The base URL, when none is given, is a port where nothing listens: a call there raises NotSent.
    """
    context = Context(
        tokens=tokens or MemoryTokens(),
        observe=observe or Observed(),
        timeout_s=timeout_s,
        connect_timeout_s=2.0,
    )
    return cls(Account(account_id, "sandbox", base_url.rstrip("/"), values), context)


DROP = object()
"""An answer of `Scripted`: read the request, then close the connection without an answer."""

HANG = object()
"""An answer of `Scripted`: read the request, then send nothing until the end."""


@dataclass(frozen=True)
class Seen:
    """One request that reached `Scripted`."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class Scripted(HttpListener):
    """A provider on 127.0.0.1 with scripted answers: for answers that no simulator gives.

    `on(path, answer, …)`: the answers to requests of that path, one after another, the last one for ever. An answer is
    (status, object or bytes), DROP or HANG.
    """

    protocol = "HTTP/1.0"

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._answers: dict[str, list] = {}
        self._ended = threading.Event()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        super().__exit__(*error)

    def on(self, path: str, *answers: object) -> Scripted:
        self._answers[path] = list(answers)
        return self

    def asked(self, path: str) -> list[Seen]:
        return [request for request in self.seen if request.path == path]

    def serve(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(received.path)
        query = dict(parse_qsl(parts.query))
        self.seen.append(Seen(received.method, parts.path, query, received.headers, received.body))
        answers = self._answers.get(parts.path) or [(404, {"scripted": "nothing"})]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        handler.close_connection = True
        if answer is HANG:
            self._ended.wait(30)
        if answer in (DROP, HANG):
            return
        status, content = answer
        say(handler, status, content if isinstance(content, bytes) else json.dumps(content).encode())

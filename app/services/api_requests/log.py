"""Writes what merchants' backends asked for: requests wait in the process's memory, and a thread stores them each second, as long as
there are some.

Guarantees: a request never waits for its row and never fails by it. When more come than can be stored, or the database is away, rows
are dropped and counted.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from flask import Flask
from sqlalchemy import text

from app import json_numbers
from app.json_text import json_text
from app.services.api_requests import redaction
from app.unit_of_work import transaction

MAX_WAITING: Final = 2_000
EVERY_S: Final = 1.0
BATCH: Final = 500

MAX_ANSWER_BYTES: Final = 65_536
"""A longer answer is not kept at all: it is not taken apart."""

_INSERT: Final = text(
    "INSERT INTO api_requests SELECT * FROM jsonb_populate_recordset(NULL::api_requests, CAST(:rows AS jsonb))"
)
"""One value, whatever the number of rows: SQLAlchemy's insert of many costs as much as making the rows."""

log = structlog.get_logger("api_requests")


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as it was answered. facts: the columns of its row but the bodies. answer: the body's bytes."""

    facts: Mapping[str, Any]
    request: Mapping[str, Any] | None
    answer: bytes | None

    def row(self) -> dict[str, Any]:
        """For _INSERT, which takes bytes as hexadecimal digits."""
        answer, digest = _read(self.answer), self.facts["key_digest"]
        return {
            **self.facts,
            "key_digest": None if digest is None else f"\\x{digest.hex()}",
            "object_id": self.facts["object_id"] or _object_id(answer),
            "error_code": _error_code(answer),
            "request": redaction.kept(self.request, is_answer=False),
            "answer": redaction.kept(answer, is_answer=True),
        }


class RequestLog:
    """One process's. on_dropped: called with how many rows were dropped. Safe to share between threads."""

    def __init__(self, app: Flask, on_dropped: Callable[[int], None]) -> None:
        self._app, self._on_dropped = app, on_dropped
        self._waiting: deque[Entry] = deque()
        self._lock = threading.Lock()
        self._writer = 0
        """The process whose thread is writing; 0: none is. A fork has none."""

    def add(self, entry: Entry) -> None:
        """Keep it, where there is room."""
        if len(self._waiting) >= MAX_WAITING:
            self._on_dropped(1)
            return
        self._waiting.append(entry)
        if self._writer != os.getpid():
            self._start()

    def flush(self) -> None:
        """Store what waits, in this thread."""
        while entries := self._next():
            self._store(entries)

    def _start(self) -> None:
        with self._lock:
            if self._writer == os.getpid():
                return
            self._writer = os.getpid()
            threading.Thread(target=self._write, name="api-requests", daemon=True).start()

    def _write(self) -> None:
        while True:
            time.sleep(EVERY_S)
            self.flush()
            with self._lock:
                if not self._waiting:
                    self._writer = 0
                    return

    def _next(self) -> list[Entry]:
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _store(self, entries: list[Entry]) -> None:
        try:
            rows = [entry.row() for entry in entries]
            with self._app.app_context():
                transaction(lambda session: session.execute(_INSERT, {"rows": json_text(rows)}))
        except Exception as error:  # noqa: BLE001 rows that cannot be stored must not end the thread
            self._on_dropped(len(entries))
            log.warning("api_requests.dropped", count=len(entries), error=type(error).__name__)


def _read(answer: bytes | None) -> Mapping[str, Any] | None:
    """The answer's object; None where it is none."""
    if not answer or len(answer) > MAX_ANSWER_BYTES:
        return None
    try:
        found = json_numbers.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, Mapping) else None


def _object_id(answer: Mapping[str, Any] | None) -> str | None:
    """The id of what the answer shows, in the spelling of its API."""
    shown = (answer or {}).get("data", answer)
    found = shown.get("id") if isinstance(shown, Mapping) else None
    return redaction.without_numbers(found)[:64] if isinstance(found, str) else None


def _error_code(answer: Mapping[str, Any] | None) -> str | None:
    """The code, or the type, where the API's errors have one."""
    error = (answer or {}).get("error")
    found = (error.get("code") or error.get("type")) if isinstance(error, Mapping) else None
    return found[:64] if isinstance(found, str) else None

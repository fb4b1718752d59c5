"""Structured logs: one JSON object for each line (in demo: readable lines), with the request's id and without secrets."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final

import orjson
import structlog

SECRET_WORDS: Final = (
    "password",
    "secret",
    "token",
    "authorization",
    "api_key",
    "apikey",
    "cookie",
    "encryption_key",
    "audit_key",
    "ssn",
    "document_number",
    "card",
    "cvv",
    "pin",
)
"""Keys that hold one of these words are never logged with their value."""

HIDDEN: Final = "[hidden]"

_DETAIL: Final = re.compile(
    r"(DETAIL:).*?(?=(?:\n|\\n)(?:HINT:|CONTEXT:|\[SQL|The above exception|During handling)|\Z)", re.DOTALL
)
"""The part of a PostgreSQL error that shows whole rows: customers, secret parts of URLs."""

_NOISY: Final = ("werkzeug", "urllib3", "socketio", "engineio", "alembic.runtime.plugins")

_ONLY_ERRORS: Final = ("socketio.server", "engineio.server")
"""Their warnings are about what clients send. With a level of their own they add no second handler either."""

_BOUNDED: Final = frozenset({"socketio", "engineio", "realtime"})
"""Loggers whose lines a Socket.IO client may cause by a packet, and so at will."""

BOUNDED_LINES_PER_MIN: Final = 60


def configure(config: Mapping[str, Any]) -> None:
    """Send this process's logs, the application's and the libraries', to stderr in one format."""
    level = logging.getLevelNamesMapping()[config["LOG_LEVEL"].upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False)
        if config["IS_DEMO"]
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    final: list[Any] = [structlog.processors.format_exc_info, hide_details, renderer]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,  # the processors are the same at every call
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    handler.addFilter(LineLimit())
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if isinstance(known, _Stderr)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _ONLY_ERRORS:
        logging.getLogger(name).setLevel(max(level, logging.ERROR))


class LineLimit(logging.Filter):
    """Drops lines of a bounded logger and those below it beyond BOUNDED_LINES_PER_MIN in a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._minute = 0
        self._lines: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        name = record.name.partition(".")[0]
        if name not in _BOUNDED:
            return True
        with self._lock:
            minute = int(record.created // 60)
            if minute != self._minute:
                self._minute, self._lines = minute, {}
            self._lines[name] = self._lines.get(name, 0) + 1
            return self._lines[name] <= BOUNDED_LINES_PER_MIN


class _Stderr(logging.Handler):
    """Writes to what is stderr at that moment, whole lines at a time."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 a log line that cannot be written must not fail the request
            self.handleError(record)


def hide_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of secret keys, at any depth."""
    for key, value in event.items():
        if _is_secret(key):
            event[key] = HIDDEN
        elif isinstance(value, Mapping):
            event[key] = _hidden(value)
    return event


def hide_details(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut the rows that PostgreSQL shows with an error out of tracebacks and messages."""
    for name in ("exception", "event"):
        if isinstance(value := event.get(name), str) and "DETAIL:" in value:
            event[name] = _DETAIL.sub(rf"\1 {HIDDEN}", value)
    return event


def _hidden(values: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        key: HIDDEN if _is_secret(str(key)) else _hidden(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }


@lru_cache(maxsize=1024)
@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    key = key.lower()
    return any(word in key for word in SECRET_WORDS)


def _json(event: Any, **kwargs: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()

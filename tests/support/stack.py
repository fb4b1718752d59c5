"""A running stack: the real processes on free ports, for tests that need sockets, signals or two processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

from app.events.relay import LOCK_ID
from launcher.addresses import local_addresses
from launcher.processes import Processes

_HAS_RELAY = """
SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()
  WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint = %s)
"""


class Stack(Processes):
    """Processes on free ports. `environment` names the database, Redis and the secrets (tests/support/servers.py)."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        addresses = local_addresses()
        defaults = {"GATEWAY_ENV": "demo", "VAR_DIR": str(folder / "files"), **addresses}
        own = {name: addresses[name] for name in ("BIND", "REALTIME_BIND")}
        super().__init__({**os.environ, **defaults, **environment, **own}, folder)

    def is_ready(self, name: str) -> bool:
        """The relay is ready once it is the active one."""
        return self._has_active_relay() if name == "relay" else super().is_ready(name)

    def _has_active_relay(self) -> bool:
        url = self.environment["DATABASE_URL"]
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(_HAS_RELAY, (LOCK_ID,))
            row = cursor.fetchone()
            return bool(row and row[0])


@contextmanager
def running_stack(
    environment: Mapping[str, str], folder: Path, *, processes: tuple[str, ...] = ("web", "relay")
) -> Iterator[Stack]:
    """A stack with these processes running; all of them are killed at the end."""
    stack = Stack(environment, folder)
    try:
        stack.start(*processes)
        yield stack
    finally:
        stack.kill_all()

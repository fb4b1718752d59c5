"""Database connections of a test's own: as the application's role, or as the tables' owner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2

from app.config.database import APPLICATION_ROLE


@contextmanager
def connection(
    settings: Mapping[str, str], *, as_owner: bool = False, is_autocommit: bool = True
) -> Iterator[Any]:
    """A psycopg2 connection to the database of `settings`, rolled back and closed at the end."""
    url = settings["DATABASE_OWNER_URL" if as_owner else "DATABASE_URL"]
    options = (
        "-c timezone=UTC" if as_owner else f"-c timezone=UTC -c role={APPLICATION_ROLE} -c lock_timeout=10000"
    )
    opened = psycopg2.connect(url, options=options)
    opened.autocommit = is_autocommit
    try:
        yield opened
    finally:
        if not opened.closed and not is_autocommit:
            opened.rollback()
        opened.close()


def run(opened: Any, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Every row of one statement; an empty list when it returns none."""
    with opened.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def one(opened: Any, statement: str, *values: object) -> Any:
    """The only column of the only row."""
    ((value,),) = run(opened, statement, *values)
    return value


def blocked(opened: Any, pid: int) -> bool:
    """Whether the server process `pid` waits for a lock."""
    return bool(one(opened, "SELECT cardinality(pg_blocking_pids(%s)) > 0", pid))

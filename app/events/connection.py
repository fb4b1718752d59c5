"""The relay's own connections to the database, apart from the application's pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url


def connect(config: Mapping[str, Any], *, name: str) -> Any:
    """A psycopg2 connection as the application's role. name: what Postgres shows as its application_name."""
    url = make_url(config["SQLALCHEMY_DATABASE_URI"])
    arguments = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
    arguments |= config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"] | {"application_name": name}
    return psycopg2.connect(**arguments)


@contextmanager
def autocommit(connection: Any) -> Iterator[Any]:
    """A cursor of a psycopg2 connection between transactions: each statement commits by itself, in one round trip."""
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        if not connection.closed:
            connection.autocommit = False


def try_lock(connection: Any, lock_id: int) -> bool:
    """Take an advisory lock that is held until the connection is closed; False: another connection has it."""
    with autocommit(connection) as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock_id,))
        return bool(cursor.fetchone()[0])

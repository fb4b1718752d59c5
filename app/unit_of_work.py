"""The only file that commits.

`transaction(work)` runs a function in one transaction, again when the database says that trying again is right.
`call(function, ...)` runs one SQL function as one autocommitted statement: the hot path.
`reading()` lends a session that sees one snapshot of the database and changes nothing.

A connection may be lost after COMMIT was sent and before it was answered. `transaction` then asks the database whether
that transaction was committed, and returns its result if it was. Work is never done twice, and needs no check of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg2
import structlog
from flask import current_app
from sqlalchemy import Connection, Engine, PoolProxiedConnection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app import held_connections
from app.errors import IdempotencyConflict, ServiceUnavailable
from app.extensions import db

T = TypeVar("T")

MAX_CONFLICT_RETRIES: Final = 3
"""Deadlock (40P01) and serialisation (40001) victims are tried this often again, whole."""

MAX_DISCONNECT_RETRIES: Final = 1
"""A dropped connection is tried once more, on a new one: a pool may hold several dead ones, so it is emptied."""

OUTCOME_TIMEOUT_S: Final = 5.0
"""How long to wait for the outcome of a commit that was not answered: the server may still be committing, or restarting."""

_CONFLICT_STATES: Final = frozenset({"40P01", "40001"})
_LOCK_TIMEOUT_STATE: Final = "55P03"
_READ_ONLY_STATE: Final = "25006"

_NO_WRITES: Final = ("53", "58000", "58030", _READ_ONLY_STATE)
"""How SQLSTATEs begin that say the server takes no writes for now: no disk, memory or connection left; a disk that fails; a
database or standby that is read-only."""

_TIMED_OUT: Final = frozenset({"57014", "25P03", "25P04"})
"""A statement, or a transaction, took longer than the server lets it."""

REFUSED_WRITE_LIFE_S: Final = 15.0
"""So long a refused write makes this process not ready, unless one succeeds before."""

log = structlog.get_logger(__name__)


def transaction(work: Callable[[Session], T]) -> T:
    """Run `work(session)` and commit. `work` may run again from the start, so it has no effects outside the database.

    Raises ServiceUnavailable when the database is away, takes no writes, or cannot say whether it committed;
    IdempotencyConflict when a lock was not to be had in time.
    """

    def attempt() -> T:
        with held_connections.held(), _autocommit_engine().connect() as connection:
            connection.begin()  # sends nothing: the session joins it and leaves its end to _commit
            transaction_id: str = _execute(connection, _BEGIN).fetchone()[0]
            try:
                with Session(connection, expire_on_commit=False) as session:
                    result = work(session)
                    session.flush()
                    _commit(connection, transaction_id)
                    session.commit()  # only the session's own state: the connection's transaction is over
            except BaseException:
                if not connection.invalidated:
                    _execute(connection, "ROLLBACK")
                raise
            return result

    return _retrying(attempt)


_BEGIN: Final = "BEGIN; SELECT pg_current_xact_id()::text"
"""One round trip, as many as BEGIN alone. The connection is in autocommit mode, so that the driver sends no BEGIN."""


def _execute(connection: Connection, statement: str) -> Any:
    """A cursor of the driver's own: SQLAlchemy's bookkeeping for these statements costs more than they do."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement)
    except psycopg2.Error as error:
        if is_disconnect(error):
            connection.invalidate(error)
        raise
    return cursor


def _commit(connection: Connection, transaction_id: str) -> None:
    """Returns when the transaction is committed. Raises the disconnect when it is rolled back for certain."""
    try:
        _execute(connection, "COMMIT")
    except psycopg2.Error as error:
        if not (is_disconnect(error) and _is_committed(transaction_id)):
            raise


def _is_committed(transaction_id: str) -> bool:
    """The end of a transaction whose COMMIT was not answered. Raises ServiceUnavailable when it cannot be found out."""
    forget_connections()
    deadline = time.monotonic() + OUTCOME_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with _autocommit_engine().connect() as connection:
                status = connection.exec_driver_sql(
                    "SELECT pg_xact_status(%s::xid8)", (transaction_id,)
                ).scalar()
        except (DBAPIError, PoolTimeout) as error:
            log.info("commit.outcome_not_available", error=type(error).__name__)
            status = None
        if status in ("committed", "aborted"):
            log.warning("commit.answer_lost", outcome=status)
            return bool(status == "committed")
        time.sleep(0.1)
    log.error("commit.outcome_unknown")
    raise ServiceUnavailable


@contextmanager
def reading() -> Iterator[Session]:
    """A session for queries, which all see the database as it was at the first of them. Writing is refused.

    An answer made of several queries is so never half of one state and half of the next. Raises ServiceUnavailable when
    the database is away.
    """
    try:
        with held_connections.held(), Session(_snapshot_engine(), expire_on_commit=False) as session:
            yield session
    except (DBAPIError, PoolTimeout) as error:
        if _sqlstate(error) == _READ_ONLY_STATE:
            raise  # work that writes does not belong here
        raise _translated(error) from error


def call(function_call: str, *arguments: Any) -> Any:
    """One row of `SELECT * FROM function_call`, autocommitted, as a tuple; None when it returns none.

    `function_call` is written in the code, never input: `fold_account(%s, %s)`. Same errors as `transaction`.
    """
    statement = f"SELECT * FROM {function_call}"  # noqa: S608 the text is written in the code, the values are bound

    def attempt() -> Any:
        connection = _autocommit_engine().raw_connection()
        try:
            return _row(connection, statement, arguments)
        except psycopg2.Error as error:
            if connection.dbapi_connection is not None and connection.dbapi_connection.closed:
                connection.invalidate(error)
            raise
        finally:
            connection.close()

    return _retrying(attempt)


def _row(connection: PoolProxiedConnection, statement: str, arguments: tuple[Any, ...]) -> Any:
    cursor = connection.cursor()
    cursor.execute(statement, arguments)
    return cursor.fetchone()


def _snapshot_engine() -> Engine:
    """The application's pool, lending connections whose transactions see one snapshot. Costs no round trip of its own."""
    engine: Engine | None = current_app.extensions.get("snapshot_engine")
    if engine is None:
        engine = db.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        engine = current_app.extensions.setdefault("snapshot_engine", engine)
    return engine


def _autocommit_engine() -> Engine:
    """The application's pool, lending connections that commit by the statement."""
    engine: Engine | None = current_app.extensions.get("autocommit_engine")
    if engine is None:
        uri = current_app.config["SQLALCHEMY_DATABASE_URI"]
        options = current_app.config["SQLALCHEMY_ENGINE_OPTIONS"]
        # Nothing to roll back when a connection returns: every statement was a transaction of its own.
        engine = create_engine(uri, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **options)
        engine = current_app.extensions.setdefault("autocommit_engine", engine)
    return engine


def _retrying(attempt: Callable[[], T]) -> T:
    conflicts = disconnects = 0
    while True:
        try:
            result = attempt()
            if current_app.extensions.pop("refused_write", None) is not None:
                log.warning("database.takes_writes")
            return result
        except (DBAPIError, psycopg2.Error, PoolTimeout) as error:
            if _sqlstate(error) in _CONFLICT_STATES and conflicts < MAX_CONFLICT_RETRIES:
                conflicts += 1
                time.sleep(0.005 * 2**conflicts)
            elif _is_of_connection(error) and disconnects < MAX_DISCONNECT_RETRIES:
                disconnects += 1
                forget_connections()
                if is_disconnect(error):
                    time.sleep(0.2)
            else:
                _note_refused_write(error)
                raise _translated(error) from error


def _is_of_connection(error: BaseException) -> bool:
    """Whether another connection may do: this one is lost, or it is read-only, as long as it lives."""
    return is_disconnect(error) or _sqlstate(error) == _READ_ONLY_STATE


def _note_refused_write(error: BaseException) -> None:
    if (state := _sqlstate(error)) is not None and state.startswith(_NO_WRITES):
        if "refused_write" not in current_app.extensions:
            log.error("database.takes_no_writes", sqlstate=state)
        current_app.extensions["refused_write"] = (state, time.monotonic())


def refused_write() -> str | None:
    """The SQLSTATE with which the last write of this process was refused, lately; None when it was not."""
    state, at = current_app.extensions.get("refused_write", (None, 0.0))
    return state if state is not None and time.monotonic() - at < REFUSED_WRITE_LIFE_S else None


def forget_connections() -> None:
    """Have new connections from now on: those of the pools may be lost, or read-only for as long as they live."""
    db.engine.dispose()
    engine = current_app.extensions.get("autocommit_engine")
    if engine is not None:
        engine.dispose()


def _sqlstate(error: BaseException) -> str | None:
    original = getattr(error, "orig", error)
    return getattr(original, "pgcode", None)


def is_disconnect(error: BaseException) -> bool:
    """Whether the connection is lost or could not be made: the statement may or may not have been executed."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    original = getattr(error, "orig", error)
    state = _sqlstate(error) or ""
    if state.startswith(("08", "57P")):
        return True
    return isinstance(original, (psycopg2.OperationalError, psycopg2.InterfaceError)) and not state


def is_unavailable(error: BaseException) -> bool:
    """Whether the database says "not now": it cannot be reached, takes no writes, or needed too long."""
    state = _sqlstate(error) or ""
    return is_disconnect(error) or state.startswith(_NO_WRITES) or state in _TIMED_OUT


def _translated(error: BaseException) -> BaseException:
    """The application's error for a database error; an unexpected one is returned as it is, and answered with 500."""
    if _sqlstate(error) == _LOCK_TIMEOUT_STATE:
        return IdempotencyConflict(
            "Another request holding the same key or wallet is still running; try again.", retry_after_s=1
        )
    if isinstance(error, PoolTimeout) or is_unavailable(error):
        return ServiceUnavailable()
    return error

"""What a database is for: a demo, or production. Never both, and never one after the other without a purge.

Guarantees: no process serves production while anything of the demo can be used; a database that production has once been served
from takes no demo data, is not reset, and is not served by a demo. The first production process records that in the event log, which
is insert-only: an event of type `installation.production_started`.
"""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

import structlog
from flask import Flask, current_app
from sqlalchemy import TextClause, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app import clock
from app.config.setting import ConfigError
from app.errors import IdempotencyConflict, ServiceUnavailable
from app.events import outbox
from app.events.catalogue import EventType
from app.services.demo import detection as demo_detection
from app.unit_of_work import transaction

OBJECT_ID: Final = "installation"

WAIT_S: Final = 2.0
"""Between two tries to reach the database at the start."""

log = structlog.get_logger("start")


class UnfitDatabase(ConfigError):
    """The database is not for this mode. The message says what was found and what to do."""


class Executor(Protocol):
    """A session or a connection."""

    def execute(self, statement: TextClause, parameters: dict[str, Any], /) -> Any: ...


def require_fit(app: Flask) -> None:
    """For processes that serve, before they do: wait until the database can be asked, then return when it is for this mode.

    Raises UnfitDatabase. A database that is away is waited for: what it holds is not known.
    """
    with app.app_context():
        while True:
            try:
                transaction(_require_fit)
                return
            except (ServiceUnavailable, IdempotencyConflict) as error:  # away, or the lock is held
                log.warning("start.database_away", error=type(error.__cause__ or error).__name__)
                time.sleep(WAIT_S)


def require_no_production(session: Executor) -> None:
    """For whatever fills or empties a database with demo data, first in its own transaction. Raises UnfitDatabase.

    Production that starts at the same moment waits for the end of that transaction, and finds what it has left.
    """
    if current_app.config["IS_PRODUCTION"]:
        raise UnfitDatabase("There is no demo data in production (GATEWAY_ENV).")
    _lock(session)
    if is_production(session):
        raise UnfitDatabase(
            "Production has been served from this database: it takes no demo data. Give the demo a database of its own "
            "(DATABASE_URL)."
        )


def is_production(session: Executor) -> bool:
    """Whether production has ever been served from this database."""
    if not _has_table(session, "events"):
        return False
    values = {"object": OBJECT_ID, "type": EventType.PRODUCTION_STARTED}
    return bool(session.execute(_MARK, values).scalar_one())


def _require_fit(session: Session) -> None:
    if not _has_table(session, "users"):
        return  # before the first migration there is no data
    if not current_app.config["IS_PRODUCTION"]:
        _require_no_mark(session)
        return
    _lock(session)
    try:
        objects = demo_detection.found(session)
    except ProgrammingError as error:
        raise UnfitDatabase(
            "The database is of an older version, so what it holds is not known: run `flask db upgrade`."
        ) from error
    if objects:
        raise UnfitDatabase(demo_detection.sentence(objects))
    if not is_production(session):
        outbox.record(
            session,
            EventType.PRODUCTION_STARTED,
            object_id=OBJECT_ID,
            data={},
            now=clock.now(),
            actor="system",
            is_public=False,
        )


def _require_no_mark(session: Session) -> None:
    if is_production(session):
        raise UnfitDatabase(
            "Production has been served from this database, and GATEWAY_ENV is "
            f"{current_app.config['GATEWAY_ENV']}: set GATEWAY_ENV=production, or another DATABASE_URL."
        )


def _has_table(session: Executor, name: str) -> bool:
    return bool(session.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name}).scalar_one())


def _lock(session: Executor) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": "malipo-installation"})


_MARK: Final = text(
    "SELECT EXISTS (SELECT FROM events WHERE object_id = :object AND type = :type)"
    " OR EXISTS (SELECT FROM outbox WHERE object_id = :object AND type = :type)"
)

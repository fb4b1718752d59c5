"""The demo data of the documentation, fixed so that its commands run as they are pasted. Loading twice changes nothing."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from psycopg2.errors import DeadlockDetected
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.services.demo.merchants import load_tenants
from app.services.demo.objects import USERS
from app.services.demo.users import load_user
from app.services.operator import installation
from app.unit_of_work import transaction

MAX_TRIES: Final = 10
PAUSE_S: Final = 0.1


def load() -> int:
    """Create the demo users and the demo tenants where they are missing; returns how many users.

    Raises UnfitDatabase: in production, and on a database that production was served from.
    """

    def work(session: Session) -> int:
        installation.require_no_production(session)
        created = sum(load_user(session, user) for user in USERS)
        load_tenants(session)
        return created

    return transaction(work)


def require_no_production() -> None:
    """Raises UnfitDatabase where demo data may not be loaded."""
    transaction(installation.require_no_production)


def reset(owner_url: str, var_dir: Path) -> None:
    """Empty every table (as their owner), forget documents and anchors, and load the demo data anew.

    The platform's fee rules and minimums stay: they are settings, not demo data. Raises UnfitDatabase, as `load`: nothing is emptied.
    """
    engine = create_engine(owner_url)
    try:
        _empty(engine)
    finally:
        engine.dispose()
    for folder in ("kyc", "audit"):
        shutil.rmtree(var_dir / folder, ignore_errors=True)
    load()


def _empty(engine: Engine) -> None:
    """Relay, worker and web may be running: what one of them has locked in another order makes a deadlock, which is tried again."""
    for tries_left in reversed(range(MAX_TRIES)):
        try:
            with engine.begin() as connection:
                installation.require_no_production(connection)
                _truncate(connection)
            return
        except OperationalError as error:
            if not isinstance(error.orig, DeadlockDetected) or not tries_left:
                raise
            time.sleep(PAUSE_S)


def _truncate(connection: Connection) -> None:
    tables = connection.execute(
        text(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables "
            "WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'relay_state', 'fee_rules', 'withdrawal_minimums', "
            "'reference_data')"
        )
    ).scalar_one()
    # Identities go on counting: a running relay must not meet an outbox id it has seen.
    connection.exec_driver_sql(f"TRUNCATE {tables}")
    connection.exec_driver_sql("UPDATE relay_state SET pushed_through = 0")
    connection.exec_driver_sql("DELETE FROM fee_rules WHERE tenant_id IS NOT NULL")
    connection.exec_driver_sql("DELETE FROM withdrawal_minimums WHERE tenant_id IS NOT NULL")

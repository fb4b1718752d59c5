"""The demo data of the documentation, fixed so that its commands run as they are pasted. Loading twice changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session

from app.services.demo.merchants import load_tenants
from app.services.demo.objects import USERS
from app.services.demo.users import load_user
from app.services.operator import installation
from app.unit_of_work import transaction


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
        with engine.begin() as connection:
            installation.require_no_production(connection)
            _truncate(connection)
    finally:
        engine.dispose()
    for folder in ("kyc", "audit"):
        shutil.rmtree(var_dir / folder, ignore_errors=True)
    load()


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

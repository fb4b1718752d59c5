"""Alembic's entry: upgrades as the owner of the tables, then installs the SQL functions (app/ledger/install.py)."""

from alembic import context
from flask import current_app
from sqlalchemy import create_engine

import app.models  # noqa: F401 registers the tables
from app.extensions import Base
from app.ledger.install import install


def run() -> None:
    engine = create_engine(
        current_app.config["OWNER_DATABASE_URI"], connect_args={"application_name": "malipo-migrate"}
    )
    with engine.begin() as connection:
        # Two upgrades at once (two containers starting) wait for each other.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('malipo-migrate'))")
        context.configure(connection=connection, target_metadata=Base.metadata)
        context.run_migrations()
        install(connection)
    engine.dispose()


if context.is_offline_mode():
    raise RuntimeError("Offline migrations are not supported: the functions need a database.")
run()

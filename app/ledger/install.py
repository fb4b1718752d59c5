"""Installs the SQL functions: one file each, in the `sql` folder of the package they belong to (the ledger's here, the
wallets' in services/wallets). It runs after every migration; a test compares the database with the files.

A changed signature gets a new name (the old one goes a release later), so old and new processes can run side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

APP_FOLDER: Final = Path(__file__).parent.parent


def sources() -> dict[str, str]:
    """Function name → the file's text; the file is named as the function."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(APP_FOLDER.rglob("sql/*.sql"))}


def install(connection: Connection) -> None:
    """Create or replace every function and let only the application's role run it."""
    for name, source in sources().items():
        connection.exec_driver_sql(source.replace("%", "%%"))
        signature = connection.execute(
            text(
                "SELECT oid::regprocedure::text FROM pg_proc WHERE proname = :name AND pronamespace = 'public'::regnamespace"
            ),
            {"name": name},
        ).scalar_one()
        connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION {signature} TO malipo_app")

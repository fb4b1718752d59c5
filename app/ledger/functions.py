"""The ledger's SQL functions: one file each in sql/, installed after every migration, compared by a test.

A changed signature gets a new name (the old one goes a release later), so old and new processes can run side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

SQL_FOLDER: Final = Path(__file__).parent / "sql"


def sources() -> dict[str, str]:
    """Function name → the file's text; the file is named as the function."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(SQL_FOLDER.glob("*.sql"))}


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

"""Records that the embedded database is up to date, so that a later start can skip `flask prepare`.

Migrations and demo data take a second or two even when there is nothing to do. A marker file in the data folder holds a
fingerprint of the code and of the schema's version; it is removed with the data. When either changes, `flask prepare`
runs again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import psycopg2

from launcher.paths import PROJECT

CODE = ("app", "migrations", "wsgi.py")


def fingerprint(environment: Mapping[str, str]) -> str:
    """Changes with the mode, the schema, and the name, time or size of any file of the application.

    Empty when the database has no schema yet.
    """
    version = schema_version(environment["DATABASE_OWNER_URL"])
    if not version:
        return ""
    digest = hashlib.sha256(f"{environment['GATEWAY_ENV']} {version}".encode())
    for name in CODE:
        root = PROJECT / name
        for file in sorted([root, *root.rglob("*")]):
            if file.is_file() and file.suffix != ".pyc":
                found = file.stat()
                digest.update(f"\0{file}\0{found.st_mtime_ns}\0{found.st_size}".encode())
    return digest.hexdigest()


def is_prepared(marker: Path, environment: Mapping[str, str]) -> bool:
    """Whether the present code has prepared the database of the marker's data folder."""
    return marker.exists() and marker.read_text() == (fingerprint(environment) or "nothing yet")


def record_prepared(marker: Path, environment: Mapping[str, str]) -> None:
    marker.write_text(fingerprint(environment))


def schema_version(url: str) -> str:
    """The migration the database is at; empty before the first."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
            if cursor.fetchone() != (True,):
                return ""
            cursor.execute("SELECT string_agg(version_num, ' ' ORDER BY version_num) FROM alembic_version")
            row = cursor.fetchone()
            return str(row[0] or "") if row else ""
    finally:
        connection.close()

"""How the application connects to PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"

APPLICATION_ROLE: Final = "malipo_app"
"""The PostgreSQL role every request runs as: it reads, and changes the ledger only through its functions."""


def connect_args(values: Mapping[str, Any]) -> dict[str, Any]:
    """libpq arguments of the application's connections: its role and the limits of every transaction."""
    options = {
        "role": APPLICATION_ROLE,
        "timezone": "UTC",
        "lock_timeout": values["DB_LOCK_TIMEOUT_MS"],
        "statement_timeout": values["DB_STATEMENT_TIMEOUT_MS"],
        "transaction_timeout": TRANSACTION_TIMEOUT_S * 1000,
        "idle_in_transaction_session_timeout": TRANSACTION_TIMEOUT_S * 1000,
    }
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        "application_name": "malipo",
        "connect_timeout": 5,
    }


TRANSACTION_TIMEOUT_S: Final = 60
"""No transaction of the application lives longer; the relay counts on it when an outbox number stays missing."""


def driver_url(url: str) -> str:
    """`postgresql://…` or `postgres://…` with the psycopg2 driver named, as SQLAlchemy wants it."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg2://" + url.removeprefix(prefix)
    return url

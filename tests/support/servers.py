"""The servers of a test session: one Postgres for all processes of it, a database and a Redis for each.

The controller starts Postgres once and migrates a template database; its folder reaches xdist's workers in the
environment. Redis is each worker's own, since its channels are not kept apart by database number.
DATABASE_URL and REDIS_URL of the environment are never touched.
"""

from __future__ import annotations

import base64
import os
import secrets
from functools import cache
from pathlib import Path
from types import MappingProxyType

from launcher.embedded import APPLICATION, OWNER, EmbeddedPostgres, EmbeddedRedis

POSTGRES_FOLDER = "MALIPO_TEST_POSTGRES"
TEMPLATE = "malipo_template"

SECRETS = MappingProxyType(
    {
        "SECRET_KEY": "test-secret-key-" + "s" * 32,
        "JWT_SECRET_KEY": "test-jwt-secret-key-" + "j" * 32,
        "ENCRYPTION_KEY": base64.urlsafe_b64encode(bytes(range(32))).decode(),
        "AUDIT_KEY": bytes(range(32)).hex(),
    }
)
"""Good enough for production mode, too."""

_OPTIONS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "600"}
"""Tests of durability start a Postgres of their own, with fsync on."""


@cache
def postgres() -> EmbeddedPostgres:
    """The session's Postgres: started by the first process to ask, found by its children."""
    if known := os.environ.get(POSTGRES_FOLDER):
        return EmbeddedPostgres(Path(known), options=_OPTIONS)
    server = EmbeddedPostgres.temporary(options=_OPTIONS)
    server.start()
    os.environ[POSTGRES_FOLDER] = str(server.folder)
    server.create_database(TEMPLATE)
    migrate(server, TEMPLATE)
    return server


def stop() -> None:
    """Stop Postgres in the process that started it; does nothing in others."""
    if postgres.cache_info().currsize:
        postgres().destroy()
        os.environ.pop(POSTGRES_FOLDER, None)
        postgres.cache_clear()


def migrate(server: EmbeddedPostgres, database: str) -> None:
    """Bring a database up to date, as its owner."""
    from flask_migrate import upgrade

    from app import create_app

    app = create_app(
        environment(server.url(APPLICATION, database), server.url(OWNER, database), "redis://127.0.0.1:1")
    )
    with app.app_context():
        upgrade()


def new_database(server: EmbeddedPostgres | None = None) -> str:
    """The name of a fresh, migrated database in the session's Postgres, or in one of the test's own."""
    server = server or postgres()
    name = f"malipo_test_{secrets.token_hex(4)}"
    if server.has_database(TEMPLATE):
        server.create_database(name, template=TEMPLATE)
    else:
        server.create_database(name)
        migrate(server, name)
    return name


def urls_of_new_database() -> dict[str, str]:
    """The settings that name a fresh, migrated database in the session's Postgres."""
    database = new_database()
    return {
        "DATABASE_URL": postgres().url(APPLICATION, database),
        "DATABASE_OWNER_URL": postgres().url(OWNER, database),
    }


def new_redis() -> EmbeddedRedis:
    """A started Redis; the caller destroys it."""
    server = EmbeddedRedis.temporary()
    server.start()
    return server


def environment(
    database_url: str,
    owner_url: str,
    redis_url: str,
    *,
    mode: str = "test",
    var_dir: Path | str = "var",
    **more: str,
) -> dict[str, str]:
    """A complete environment for `create_app` or a process. `more`: settings that differ."""
    return {
        "GATEWAY_ENV": mode,
        "FLASK_APP": "wsgi.py",
        **SECRETS,
        "DATABASE_URL": database_url,
        "DATABASE_OWNER_URL": owner_url,
        "REDIS_URL": redis_url,
        "VAR_DIR": str(var_dir),
        "KYC_AUTO_VERIFY_S": "2",
        "LOG_LEVEL": "WARNING",
        # Fifty requests for one lock take long on a busy machine; none of them should be answered 409 for that.
        "DB_LOCK_TIMEOUT_MS": "10000",
        # Nothing listens there: tests that need the simulators start their own (tests/support/sandbox.py).
        "SANDBOX_URL": "http://127.0.0.1:9",
        **more,
    }

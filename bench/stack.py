"""The stack that is measured: embedded Postgres (fsync on, data on the project's disk), Redis, gunicorn and the relay."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import psycopg2
from cryptography.fernet import Fernet

from bench.cpu import process_tree
from launcher.addresses import local_addresses
from launcher.embedded import OWNER, SUPERUSER, EmbeddedPostgres, EmbeddedRedis
from launcher.errors import LauncherError
from launcher.paths import PROJECT
from launcher.processes import Processes

DATABASE = "bench"
WEB_WORKERS = 2
WEB_THREADS = 16

WALLET_PROCESSES = ("web", "relay")
"""What wallet payments need; bench/gateway.py starts the others."""


class Stack(Processes):
    """What runs, and where. Logs and data are in `folder`, which is removed at the end."""

    def __init__(
        self, environment: dict[str, str], folder: Path, *, postgres: EmbeddedPostgres, redis: EmbeddedRedis
    ) -> None:
        super().__init__(environment, folder)
        self.postgres, self.redis = postgres, redis

    def last_line(self, *arguments: str) -> str:
        """The last line of a flask command's output; it begins with FAILED when the command fails."""
        try:
            return self.flask(*arguments).strip().rpartition("\n")[2] or "(no output)"
        except LauncherError as error:
            return f"FAILED: {str(error).rpartition(chr(10))[2]}"

    def connect(self, role: str = OWNER) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self.postgres.url(role, DATABASE))
        connection.autocommit = True
        return connection

    def parts(self) -> dict[str, list[int]]:
        """The processes of each part; Postgres backends are assigned by the process they serve."""
        # Only a superuser sees the application names of other roles' connections.
        with closing(self.connect(SUPERUSER)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid, application_name FROM pg_stat_activity WHERE backend_type = 'client backend'"
            )
            serving = dict(cursor.fetchall())
        postgres = process_tree(self.postgres.pid or 0)
        return {
            "web, Python": process_tree(self.pid("web")),
            "web, Postgres": [pid for pid in postgres if serving.get(pid) == "malipo"],
            "relay, Python": process_tree(self.pid("relay")),
            "relay, Postgres": [
                pid for pid in postgres if serving.get(pid) in ("malipo-relay", "malipo-push")
            ],
            "Postgres' own (WAL, checkpoints, vacuum)": [pid for pid in postgres if pid not in serving],
            "Redis": process_tree(self.redis.pid or 0),
            "the client": [psutil.Process().pid],
        }


@contextmanager
def running_stack(**settings: str) -> Iterator[Stack]:
    """A stack with an empty database; everything is stopped and removed at the end. settings: environment variables that
    differ."""
    home = PROJECT / "var"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=home))
    folder.chmod(0o711)  # as root the server's own user passes through
    with ExitStack() as after:
        after.callback(folder.rmdir)
        after.callback(_remove_files, folder)
        postgres = EmbeddedPostgres(folder / "postgres", options={"track_functions": "all"})
        after.callback(postgres.destroy)
        postgres.start()
        postgres.create_database(DATABASE)
        redis = EmbeddedRedis(folder / "redis")
        after.callback(redis.destroy)
        redis.start()
        environment = _environment(folder, postgres, redis) | settings
        stack = Stack(environment, folder, postgres=postgres, redis=redis)
        stack.flask("prepare")
        after.callback(stack.stop_all)
        stack.start(*WALLET_PROCESSES)
        yield stack


def _environment(folder: Path, postgres: EmbeddedPostgres, redis: EmbeddedRedis) -> dict[str, str]:
    """Production's settings, but for limits that one machine's load would reach at once."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    return kept | {
        "BIND": local_addresses()["BIND"],
        "GATEWAY_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "AUDIT_KEY": secrets.token_hex(32),
        "DATABASE_URL": postgres.url(database=DATABASE),
        "DATABASE_OWNER_URL": postgres.url(OWNER, DATABASE),
        "REDIS_URL": redis.url(),
        "VAR_DIR": str(folder / "files"),
        "WEB_WORKERS": str(WEB_WORKERS),
        "WEB_THREADS": str(WEB_THREADS),
        "REALTIME": "external",
        "RATE_LIMIT_PAYMENTS": "100000000/minute",
        "RATE_LIMIT_BATCH_ITEMS": "100000000/minute",
        "ACCESS_TOKEN_TTL_S": "86400",
    }


def _remove_files(folder: Path) -> None:
    """What the processes wrote: their logs and the audit anchor."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

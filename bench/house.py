"""The house under test: embedded Postgres (fsync on, data on the project's disk), Redis, gunicorn and the relay."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from cryptography.fernet import Fernet

from bench.cpu import family
from launcher.children import end, follow_parent, last_lines, wait_until
from launcher.embedded import OWNER, SUPERUSER, EmbeddedPostgres, EmbeddedRedis
from launcher.errors import LauncherError
from launcher.places import PROJECT

DATABASE = "bench"
WEB_WORKERS = 2
WEB_THREADS = 16

COMMANDS = {
    "web": ("gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"),
    "relay": ("flask", "relay"),
    "worker": (
        "celery", "--quiet", "--app", "app.worker.celery_app:celery", "worker", "--loglevel", "error",
        "--pool", "threads", "--concurrency", "16",
    ),
    "sandbox": ("gunicorn", "--config", "app/sandbox/gunicorn.conf.py", "app.sandbox.wsgi:app"),
}  # fmt: skip
WALLET_HOUSE = ("web", "relay")
"""What wallet payments need; bench/gateway.py starts the others."""


@dataclass
class House:
    """What runs, and where. Logs and data are in `folder`, which is removed at the end."""

    folder: Path
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    port: int
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]]

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                COMMANDS[name],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow_parent(signal.SIGTERM),  # noqa: PLW1509 two system calls, nothing that locks
            )

    def stop(self, name: str) -> None:
        end(self.processes.pop(name), signal.SIGTERM)

    def flask(self, *arguments: str) -> str:
        """The last line a flask command said, or what was wrong."""
        done = subprocess.run(
            ["flask", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (done.stdout + done.stderr).strip().splitlines() or ["(nothing said)"]
        return lines[-1] if done.returncode == 0 else f"FAILED: {lines[-1]}"

    def connect(self, role: str = OWNER) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self.postgres.url(role, DATABASE))
        connection.autocommit = True
        return connection

    def parts(self) -> dict[str, list[int]]:
        """The processes of each part; Postgres' are told apart by whom they serve."""
        # Only a superuser sees what others' connections call themselves.
        with closing(self.connect(SUPERUSER)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid, application_name FROM pg_stat_activity WHERE backend_type = 'client backend'"
            )
            serving = dict(cursor.fetchall())
        postgres = family(self.postgres.pid or 0)
        return {
            "web, Python": family(self.processes["web"].pid),
            "web, Postgres": [pid for pid in postgres if serving.get(pid) == "malipo"],
            "relay, Python": family(self.processes["relay"].pid),
            "relay, Postgres": [pid for pid in postgres if serving.get(pid) == "malipo-relay"],
            "Postgres' own (WAL, checkpoints, vacuum)": [pid for pid in postgres if pid not in serving],
            "Redis": family(self.redis.pid or 0),
            "the client": [psutil.Process().pid],
        }

    def check_alive(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise LauncherError(f"{name} ended:\n{last_lines(self.folder / f'{name}.log', 15)}")


@contextmanager
def running() -> Iterator[House]:
    """The whole house, its database empty; everything is stopped and removed at the end."""
    home = PROJECT / "var"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=home))
    folder.chmod(0o711)  # as root the server's own user passes through
    with ExitStack() as stack:
        stack.callback(folder.rmdir)
        stack.callback(_remove_files, folder)
        postgres = EmbeddedPostgres(folder / "postgres", options={"track_functions": "all"})
        stack.callback(postgres.destroy)
        postgres.start()
        postgres.create_database(DATABASE)
        redis = EmbeddedRedis(folder / "redis")
        stack.callback(redis.destroy)
        redis.start()
        port = free_port()
        house = House(folder, postgres, redis, port, _environment(folder, postgres, redis, port), {})
        told = house.flask("prepare")
        if told.startswith("FAILED"):
            raise LauncherError(told)
        for name in WALLET_HOUSE:
            house.start(name)
            stack.callback(house.stop, name)
        wait_until(
            lambda: house.check_alive() or is_live(port), "The web process did not answer.", timeout_s=120
        )
        yield house


def _environment(folder: Path, postgres: EmbeddedPostgres, redis: EmbeddedRedis, port: int) -> dict[str, str]:
    """Production's settings, but for limits that one machine's load would reach at once."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "GATEWAY_ENV": "production",
        "FLASK_APP": "wsgi.py",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "AUDIT_KEY": secrets.token_hex(32),
        "DATABASE_URL": postgres.url(database=DATABASE),
        "DATABASE_OWNER_URL": postgres.url(OWNER, DATABASE),
        "REDIS_URL": redis.url(),
        "VAR_DIR": str(folder / "files"),
        "BIND": f"127.0.0.1:{port}",
        "WEB_WORKERS": str(WEB_WORKERS),
        "WEB_THREADS": str(WEB_THREADS),
        "REALTIME": "external",
        "RATE_LIMIT_PAYMENTS": "100000000/minute",
        "ACCESS_TOKEN_TTL_S": "86400",
    }


def is_live(port: int, path: str = "/health/live") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _remove_files(folder: Path) -> None:
    """What the processes wrote: their logs and the audit anchor."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

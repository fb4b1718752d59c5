"""The embedded Postgres."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from launcher.children import end, end_leftovers, spawn
from launcher.embedded_server import EmbeddedServer
from launcher.errors import LauncherError
from launcher.paths import data_home, make_private, postgres_binaries, reachable_binaries, socket_folder
from launcher.postgres_setup import APPLICATION, OWNER, SUPERUSER, make_cluster, passwords
from launcher.service_user import Say, find_service_user, say_on_stderr

DATABASE = "payment_gateway_dev"

POSTGRES_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # The queue tables turn over constantly: vacuum them early and without pausing.
        "autovacuum_naptime": "5s",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_vacuum_cost_delay": "0",
        "jit": "off",  # every statement here is short
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        # A failed statement and its values (e-mails, phones, password hashes) stay out of the log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
)


class EmbeddedPostgres(EmbeddedServer):
    """A Postgres 18 cluster with the roles postgres, malipo_owner and malipo_app.

    As root it runs as a system user, and where that user cannot reach the folder the data is kept under
    /var/lib/malipo. `options` are server settings (`{"fsync": "off"}`) that win over POSTGRES_OPTIONS.
    """

    name = "postgres"

    def __init__(
        self,
        folder: Path | str,
        *,
        options: Mapping[str, str] = MappingProxyType({}),
        say: Say = say_on_stderr,
    ) -> None:
        super().__init__(folder, say=say)
        self.options = {**POSTGRES_OPTIONS, **options}
        self._home: Path | None = None

    @property
    def home(self) -> Path:
        """Where the data really is: the folder, or its stand-in under /var/lib/malipo."""
        if self._home is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._home = data_home(self.folder, find_service_user(self._say), self._say)
        return self._home

    @property
    def data(self) -> Path:
        return self.home / "data"

    def url(self, role: str = APPLICATION, database: str = DATABASE) -> str:
        """A URL for libpq and SQLAlchemy; it holds the role's password."""
        secret = passwords(self.folder / "passwords.json")[role]
        return (
            f"postgresql://{role}:{secret}@/{database}?host={quote(str(socket_folder(self.home)), safe='/')}"
        )

    def create_database(self, name: str, *, template: str | None = None) -> None:
        """Make a database of malipo_owner's that malipo_app may connect to: empty, or a copy."""
        database, owner, app = sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(APPLICATION)
        source = sql.Identifier(template or "template1")
        self._administer(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(database, owner, source),
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database),
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, app),
        )

    def drop_database(self, name: str) -> None:
        """Remove a database and end its connections; harmless when there is none of that name."""
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        connection = psycopg2.connect(self.url(SUPERUSER, "postgres"))
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                return cursor.fetchone() is not None
        finally:
            connection.close()

    def destroy(self) -> None:
        """Stop, and remove the data wherever it is, the socket's folder and the folder itself."""
        if self._starter not in (0, os.getpid()):
            return  # a forked child is not the owner
        home = self.home
        super().destroy()
        shutil.rmtree(socket_folder(home), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)

    def _administer(self, *statements: sql.Composable) -> None:
        connection = psycopg2.connect(self.url(SUPERUSER, "postgres"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def _start(self) -> None:
        user = find_service_user(self._say)
        binaries = reachable_binaries(postgres_binaries(), user, self._say)
        sockets = socket_folder(self.home)
        make_private(self.data, user)
        make_private(sockets, user)
        self._clear_leftovers(sockets)
        if self._needs_making():
            self._make_cluster()
        settings = {**self.options, "unix_socket_directories": str(sockets)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = spawn(
            [binaries.path("postgres"), "-D", str(self.data), *arguments],
            self.log,
            cwd=self.data,
            user=user,
            death_signal=signal.SIGINT,
        )
        process = self._process
        self._wait_ready(process, lambda: self._is_ready(process.pid))

    def _make_cluster(self) -> None:
        user = find_service_user(self._say)
        marker = self.home / "half-made"
        marker.touch()
        shutil.rmtree(self.data)
        make_private(self.data, user)
        make_cluster(
            self.data,
            reachable_binaries(postgres_binaries(), user, self._say),
            user=user,
            keys=passwords(self.folder / "passwords.json"),
            durable=self.options.get("fsync") != "off",
        )
        marker.unlink()

    def _needs_making(self) -> bool:
        if not (self.data / "global" / "pg_control").exists() or (self.home / "half-made").exists():
            return True
        if (self.folder / "passwords.json").exists():
            return False
        if self.home == self.folder:
            raise LauncherError(
                f"{self.folder} has data but no passwords.json: put that file back, or remove the folder."
            )
        self._say(
            f"The data in {self.home} was a removed clone's, and its passwords are gone: starting anew."
        )
        return True

    def _clear_leftovers(self, sockets: Path) -> None:
        """End a server that outlived its launcher, and remove files that name a process now gone.

        We hold the folder's lock, so a process that works in the folder has no launcher any more. Postgres itself
        would refuse to start when an unrelated process has the number in a stale file.
        """
        if not (self.data / "postmaster.pid").exists():
            return
        if end_leftovers(self.data, "postgres", polite=signal.SIGINT):
            self._say("Stopped a Postgres that an earlier run had left behind.")
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for stale in sockets.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # Lines 1 and 8 of postmaster.pid: the process and its state.
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        end(process, signal.SIGINT, signal.SIGQUIT)  # fast, then immediate shutdown

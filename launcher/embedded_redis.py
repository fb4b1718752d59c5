"""The embedded Redis.

It listens on 127.0.0.1 with a free port and a password, not on a Unix socket: Flask-SocketIO, Celery and
limits each spell a Redis socket's URL differently, and one REDIS_URL serves all of them.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from launcher.addresses import free_port
from launcher.children import end, end_leftovers, spawn
from launcher.embedded_server import EmbeddedServer
from launcher.errors import LauncherError
from launcher.paths import reachable_binaries, redis_binaries
from launcher.service_user import Say, find_service_user, say_on_stderr

FREE_PORT_ATTEMPTS = 3


class EmbeddedRedis(EmbeddedServer):
    """A Redis without persistence: nothing in it is a record of anything."""

    name = "redis"

    def __init__(self, folder: Path | str, *, say: Say = say_on_stderr) -> None:
        super().__init__(folder, say=say)
        self._port = 0
        self._password = secrets.token_urlsafe(24)

    def url(self, database: int = 0) -> str:
        """A redis:// URL with the password in it, the same for every start of this object."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/{database}"

    def _start(self) -> None:
        if end_leftovers(self.folder, "redis-server", polite=signal.SIGTERM):
            self._say("Stopped a Redis that an earlier run had left behind.")
        if self._port:
            self._start_on(self._port)
            return
        # Another process may take the port between the choice and its use.
        for attempt in range(1, FREE_PORT_ATTEMPTS + 1):
            try:
                self._start_on(free_port())
                return
            except LauncherError:
                if attempt == FREE_PORT_ATTEMPTS:
                    raise

    def _start_on(self, port: int) -> None:
        user = find_service_user(self._say)
        binaries = reachable_binaries(redis_binaries(), user, self._say)
        self._process = spawn(
            [binaries.path("redis-server"), "-"],
            self.log,
            cwd=self.folder,
            user=user,
            stdin=self._configuration(port),  # by stdin: a command line would show the password
        )
        self._wait_ready(self._process, lambda: self._answers(port))
        self._port = port

    def _configuration(self, port: int) -> str:
        lines = (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {self._password}",
            'save ""',
            "appendonly no",
            "loglevel warning",
            'rename-command CONFIG ""',
        )
        return "\n".join(lines) + "\n"

    def _answers(self, port: int) -> bool:
        client = redis.Redis(
            port=port, password=self._password, socket_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        try:
            return bool(client.ping())
        except redis.exceptions.RedisError:
            return False
        finally:
            client.close()

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        end(process, signal.SIGTERM)

"""A running house: the real processes on a free port, for tests that need sockets, signals or two processes."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

import psycopg2
import requests

from app.events.relay import LOCK_ID
from launcher.children import follow_parent, last_lines
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0

PORTS = range(12_000, 30_000)
"""Below those that Linux gives to whoever connects somewhere: none is taken between its choice and its use."""

COMMANDS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "app": ("gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"),
        "relay": ("flask", "relay"),
        "worker": (
            "celery", "--quiet", "--app", "app.worker.celery_app:celery", "worker", "--loglevel", "warning",
            "--pool", "threads", "--concurrency", "8",
        ),
        "sandbox": ("gunicorn", "--config", "app/sandbox/gunicorn.conf.py", "app.sandbox.wsgi:app"),
        "realtime": ("python", "-m", "app.websocket.realtime"),
    }
)  # fmt: skip


class House:
    """Processes by name, each with its log in `folder`. `environment` names the database, Redis and the secrets."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.port, self.realtime_port, self.sandbox_port = free_port(), free_port(), free_port()
        self.folder = folder
        self.environment = {
            **os.environ,
            "GATEWAY_ENV": "demo",
            "FLASK_APP": "wsgi.py",
            "VAR_DIR": str(folder / "files"),
            "SANDBOX_BIND": f"127.0.0.1:{self.sandbox_port}",
            "SANDBOX_URL": f"http://127.0.0.1:{self.sandbox_port}",
            "SANDBOX_WEBHOOK_BASE": f"http://127.0.0.1:{self.port}/api/v1/webhooks",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            **environment,
            "BIND": f"127.0.0.1:{self.port}",
            "REALTIME_BIND": f"127.0.0.1:{self.realtime_port}",
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def realtime_url(self) -> str:
        return f"http://127.0.0.1:{self.realtime_port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def start(self, name: str) -> None:
        """Start a process that does not run; it works when this returns."""
        with self.log(name).open("ab") as output:
            self._processes[name] = subprocess.Popen(
                COMMANDS[name],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow_parent(signal.SIGKILL),  # noqa: PLW1509 - two system calls, nothing that locks
            )
        if name == "app":
            self._wait_for(name, f"{self.url}/health/live")
        elif name == "sandbox":
            self._wait_for(name, f"{self.sandbox_url}/sandbox/health")
        elif name == "realtime":
            self._wait_for(name, f"{self.realtime_url}/health/live")
        elif name == "relay":
            wait_until(self._has_relay, "a relay to be active", timeout_s=START_TIMEOUT_S)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL to the process and its children, as a crash or a power cut."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> float:
        """SIGTERM, as an operator stops it; how long it took, in seconds. Fails when it takes too long."""
        process = self._processes.pop(name)
        began = time.monotonic()
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return time.monotonic() - began

    def stop_all(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def _has_relay(self) -> bool:
        with (
            closing(psycopg2.connect(self.environment["DATABASE_URL"])) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = "
                "current_database() WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + "
                "objid::bigint = %s)",
                (LOCK_ID,),
            )
            row = cursor.fetchone()
            return bool(row and row[0])

    def _wait_for(self, name: str, url: str) -> None:
        def answers() -> bool:
            if self._processes[name].poll() is not None:
                raise AssertionError(f"{name} ended at once:\n{last_lines(self.log(name), 20)}")
            with suppress(requests.RequestException):
                return requests.get(url, timeout=2).status_code < 500
            return False

        wait_until(answers, f"{name} to answer", timeout_s=START_TIMEOUT_S)


@contextmanager
def running_house(
    environment: Mapping[str, str], folder: Path, *, processes: Sequence[str] = ("app", "relay")
) -> Iterator[House]:
    """A house with these processes running; all of them are killed at the end."""
    house = House(environment, folder)
    try:
        for name in processes:
            house.start(name)
        yield house
    finally:
        house.stop_all()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

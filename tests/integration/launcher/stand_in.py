"""A small stand-in for the application, run by the real launcher with the real servers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from assets.build import FILES, STAMP, wanted
from launcher.addresses import free_port

PROJECT = Path(__file__).resolve().parents[3]
CACHE = PROJECT / "var" / "cache"

WSGI = """
import os, sys, time
import psycopg2
from flask import Flask

app = Flask("stand-in")

@app.get("/health/ready")
def ready():
    import redis  # which takes long, and which the other processes do without
    redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
    return {"status": "ready"}

def visits(change):
    connection = psycopg2.connect(os.environ["DATABASE_OWNER_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
        cursor.execute(change)
        cursor.execute("SELECT count(*) FROM visits")
        print("visits:", cursor.fetchone()[0], flush=True)

@app.cli.command()
def prepare():
    if os.environ.get("PREPARE_FAILS"):
        sys.exit("The migration 0007 is missing.")
    visits("INSERT INTO visits DEFAULT VALUES")
    if os.environ.get("HAS_MIGRATIONS"):
        visits("CREATE TABLE IF NOT EXISTS alembic_version AS SELECT '0007' AS version_num")

@app.cli.group()
def demo():
    pass

@demo.command()
def reset():
    visits("TRUNCATE visits")

@app.cli.command()
def relay():
    visits("SELECT 1")
    if os.environ.get("RELAY_DIES"):
        sys.exit("The relay has lost its way.")
    time.sleep(3600)
"""

PROCFILE = """
web: gunicorn --bind 127.0.0.1:{port} --workers 1 --threads 4 --worker-class gthread wsgi:app
relay: flask relay
"""


def wait_for(condition: Callable[[], bool], what: str, *, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


class StandInProject:
    """One stand-in project, and the launcher run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.output = folder / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None
        shutil.copytree(
            PROJECT / "launcher", folder / "launcher", ignore=shutil.ignore_patterns("__pycache__")
        )
        self._copy_assets()
        # The clusters' template is made once for all stand-ins.
        (folder / "var").mkdir()
        CACHE.mkdir(parents=True, exist_ok=True)
        (folder / "var" / "cache").symlink_to(CACHE)
        (folder / "wsgi.py").write_text(WSGI)
        (folder / "Procfile").write_text(PROCFILE.format(port=self.port))

    def _copy_assets(self) -> None:
        """The real build, which takes the scripts for made: the stand-in has no pages."""
        shutil.copytree(
            PROJECT / "assets", self.folder / "assets", ignore=shutil.ignore_patterns("__pycache__")
        )
        built = self.folder / "app" / "web" / "built"
        built.mkdir(parents=True)
        for name in FILES:
            (built / name).touch()
        (built / STAMP).write_text(wanted())

    def start(self, command: str = "run", **environment: str) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "launcher", command],
                cwd=self.folder,
                env=self.environment(**environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def run(self, command: str, **environment: str) -> tuple[int, str]:
        """One launcher command to its end: its exit status and what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "launcher", command],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def start_until_ready(self, command: str = "run", **environment: str) -> subprocess.Popen[bytes]:
        process = self.start(command, **environment)
        wait_for(
            lambda: "Ctrl-C stops" in self.text() or process.poll() is not None,
            f"the launcher's last line, after:\n{self.text()}",
            timeout_s=100,
        )
        assert process.poll() is None, self.text()
        return process

    def finish(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def text(self) -> str:
        return self.output.read_text()

    def left_running(self) -> list[str]:
        """Command lines of every process that works in this project, except the launcher itself."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                inside = process.cwd() == str(self.folder) or process.cwd().startswith(f"{self.folder}/")
                launcher = self.process is not None and process.pid == self.process.pid
                if inside and not launcher and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
        return found

    def environment(self, **more: str) -> dict[str, str]:
        ours = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "GATEWAY_ENV", "VAR_DIR", "FLASK_APP")
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        return kept | {"BIND": f"127.0.0.1:{self.port}"} | more


@contextmanager
def stand_in_project() -> Iterator[StandInProject]:
    """A project in a folder of its own; whatever still runs in it at the end is killed."""
    folder = Path(tempfile.mkdtemp(prefix="malipo-project-"))
    folder.chmod(0o755)  # as root, Postgres runs as another user
    made = StandInProject(folder)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    wait_for(lambda: not made.left_running(), "everything in the stand-in has ended")
    shutil.rmtree(folder)

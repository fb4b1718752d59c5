"""Starts the gateway's processes one by one, for tests and benchmarks: start, wait until ready, stop, kill, restart.

`make run` supervises the same Procfile as a whole (launcher/supervisor.py).
"""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from honcho.environ import parse_procfile  # type: ignore[import-untyped]

from launcher.children import follow_parent, kill_group, last_lines, wait_until
from launcher.environment import with_programs
from launcher.errors import LauncherError
from launcher.paths import PROJECT

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0

HEALTH: Mapping[str, tuple[str, str]] = {
    "web": ("BIND", "/health/live"),
    "realtime": ("REALTIME_BIND", "/health/live"),
    "sandbox": ("SANDBOX_BIND", "/sandbox/health"),
}
"""Process → the setting with its address, and the path that answers once it is ready."""


@cache
def commands() -> Mapping[str, str]:
    """Process → its command line: those of the Procfile, and the realtime process, which `make run` does without."""
    listed: dict[str, str] = parse_procfile((PROJECT / "Procfile").read_text()).processes
    return listed | {"realtime": "python -m app.websocket.realtime"}


class Processes:
    """Processes by name, each with its log in `folder`. `environment` is complete: servers, secrets, addresses.

    Every process is the leader of a session; killing it kills its children too.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = with_programs({"FLASK_APP": "wsgi.py", "PYTHONUNBUFFERED": "1", **environment})
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://{self.environment['BIND']}"

    @property
    def port(self) -> int:
        return int(self.environment["BIND"].rpartition(":")[2])

    @property
    def realtime_url(self) -> str:
        return f"http://{self.environment['REALTIME_BIND']}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{self.environment['SANDBOX_BIND']}"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def is_running(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def start(self, *names: str) -> None:
        """Start processes that do not run, and return when all of them are ready. Raises LauncherError."""
        for name in names:
            self._start(name)
        for name in names:
            self._wait_ready(name)

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def stop(self, name: str) -> float:
        """SIGTERM, as an operator stops it; how long it took, in seconds. LauncherError when it takes too long."""
        process = self._processes.pop(name)
        began = time.monotonic()
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise LauncherError(f"{name} did not stop within {STOP_TIMEOUT_S:g} s.") from None
        finally:
            _kill_session(process)
        return time.monotonic() - began

    def kill(self, name: str) -> None:
        """SIGKILL to the process and its children, as a crash or a power cut does."""
        _kill_session(self._processes.pop(name))

    def stop_all(self) -> None:
        """Stop every process, the last one started first."""
        for name in reversed(list(self._processes)):
            self.stop(name)

    def kill_all(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def check_running(self) -> None:
        """LauncherError with the last lines of the first process found to have ended."""
        for name in self._processes:
            self._check(name)

    def flask(self, *arguments: str) -> str:
        """Run one flask command to its end; what it printed. LauncherError with the output when it fails."""
        done = subprocess.run(
            ["flask", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LauncherError(f"`flask {' '.join(arguments)}` failed:\n{done.stdout.strip()}")
        return done.stdout

    def is_ready(self, name: str) -> bool:
        """Whether its health path answers. A process without an address counts as ready once it runs."""
        if name not in HEALTH:
            return True
        setting, path = HEALTH[name]
        return has_answer(self.environment[setting], path)

    def _start(self, name: str) -> None:
        assert not self.is_running(name), f"{name} runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as output:
            self._processes[name] = subprocess.Popen(
                commands()[name].split(),
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=follow_parent(signal.SIGKILL),  # noqa: PLW1509 - two system calls, nothing that locks
            )

    def _wait_ready(self, name: str) -> None:
        def ready() -> bool:
            self._check(name)
            return self.is_ready(name)

        message = f"{name} was not ready within {START_TIMEOUT_S:g} s."
        wait_until(ready, message, timeout_s=START_TIMEOUT_S)

    def _check(self, name: str) -> None:
        if self._processes[name].poll() is not None:
            raise LauncherError(f"{name} ended unexpectedly:\n{last_lines(self.log(name), 20)}")


def has_answer(address: str, path: str) -> bool:
    """Whether GET answers with a status below 500. address: host:port."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    kill_group(process.pid)
    process.wait()

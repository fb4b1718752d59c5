"""run, servers, reset: what `python -m launcher` does."""

from __future__ import annotations

import http.client
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from assets.build import BuildError, build, is_current
from launcher.addresses import base_url, choose_bind, choose_sandbox_address, split_address
from launcher.banner import print_banner
from launcher.environment import base_environment
from launcher.errors import LauncherError
from launcher.paths import PROJECT
from launcher.prepared import is_prepared, record_prepared
from launcher.stack import (
    clear,
    flask,
    is_running,
    recorded_settings,
    running_environment,
    servers,
    sole_instance,
)
from launcher.supervisor import Supervisor

READY_TIMEOUT_S = 120
NOT_IN_PRODUCTION = frozenset({"sandbox"})
WITHOUT_SCRIPTS = "Pages work without them: what waits is loaded again every few seconds."
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal: every clean-up runs. Raised once."""


def say(line: str) -> None:
    print(line, flush=True)


def run() -> None:
    """Everything, until Ctrl-C; LauncherError when something cannot start or ends by itself."""
    with sole_instance(), stop_signals_handled():
        environment = base_environment()
        environment["BIND"] = choose_bind(environment, say)
        if environment["GATEWAY_ENV"] != "production":
            choose_sandbox_address(environment, say)
        missing = build_assets()
        url = base_url(environment["BIND"])
        with servers(environment, say) as data, recorded_settings(environment):
            prepare(data, environment)
            supervise(environment, lambda: _show_banner(url, environment, missing))


def build_assets() -> str:
    """Build the scripts of pages where that is not done; what is missing, as a sentence, or an empty text."""
    if is_current():
        return ""
    say("Building the scripts of the pages.")
    try:
        build()
    except BuildError as error:
        missing = f"{error} {WITHOUT_SCRIPTS}"
        say(missing)
        return missing
    return ""


def _show_banner(url: str, environment: dict[str, str], missing: str) -> None:
    simulators = environment.get("SANDBOX_URL", "")
    print_banner(url, is_demo=environment["GATEWAY_ENV"] == "demo", simulators=simulators, missing=missing)


def prepare(data: Path | None, environment: dict[str, str]) -> None:
    """Migrate and load the demo data, unless the same code has already done so in this data folder."""
    marker = data / "malipo-prepared" if data is not None else None
    if marker is not None and is_prepared(marker, environment):
        return
    say("Applying migrations and loading the demo data.")
    flask("prepare", environment=environment)
    if marker is not None:
        record_prepared(marker, environment)


def supervise(environment: dict[str, str], when_ready: Callable[[], None]) -> None:
    """Run the Procfile; call when_ready once the application answers. Ends only by an exception."""
    supervisor = Supervisor()
    try:
        say("Starting the processes.")
        without = NOT_IN_PRODUCTION if environment["GATEWAY_ENV"] == "production" else frozenset()
        supervisor.start(PROJECT / "Procfile", cwd=PROJECT, environment=environment, without=without)
        wait_ready(environment["BIND"], supervisor)
        when_ready()
        while True:
            supervisor.check()
            time.sleep(0.1)
    finally:
        supervisor.stop()


def wait_ready(bind: str, supervisor: Supervisor) -> None:
    """Return when /health/ready answers 200; LauncherError when a process ends first, or after two minutes."""
    host, port = split_address(bind.split(",", maxsplit=1)[0])
    url = f"http://{host}:{port}/health/ready"
    deadline = time.monotonic() + READY_TIMEOUT_S
    answer = "no answer"
    while time.monotonic() < deadline:
        supervisor.check()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read(1000).decode(errors='replace')}"
            time.sleep(0.5)  # the application logs every request
        except (OSError, http.client.HTTPException):
            answer = "no answer"
            time.sleep(0.05)
    raise LauncherError(f"{url} was not ready within {READY_TIMEOUT_S} s. Its last answer: {answer}")


def run_servers() -> None:
    """Only the servers, their URLs printed and kept in var/run.env, until Ctrl-C."""
    with sole_instance(), stop_signals_handled():
        environment = base_environment()
        with servers(environment, say), recorded_settings(environment):
            for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
                if name in environment:
                    say(f"export {name}='{environment[name]}'")
            say("All settings, for another terminal: set -a; . var/run.env; set +a")
            say("Ctrl-C stops the servers and keeps the data.")
            while True:
                signal.pause()


def reset() -> None:
    """The initial demo data: by a command beside the running stack, or by removing a stopped stack's data."""
    if is_running():
        flask("demo", "reset", environment=running_environment())
        say("The running demo has its first data again.")
        return
    with sole_instance():
        if os.environ.get("DATABASE_URL"):
            flask("demo", "reset", environment=base_environment())
            say("The database of DATABASE_URL has the demo's first data again.")
            return
        clear(say)
        say("The data is removed; the next `make run` starts with the demo's first data.")


@contextmanager
def stop_signals_handled() -> Iterator[None]:
    """Turn the first stop signal into StopRequested, and ignore those after it."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in STOPPING:
            signal.signal(each, signal.SIG_IGN)
        raise StopRequested

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    except StopRequested:
        say("Stopped; the data is kept.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Real processes of a production whose database held the demo: each refuses to serve with one sentence, until it is purged."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import requests

from app import create_app
from app.services.operator import installation
from app.services.operator.installation import UnfitDatabase
from app.worker.kinds import RECURRING
from launcher.addresses import local_addresses
from launcher.embedded import EmbeddedRedis
from launcher.environment import with_programs
from launcher.paths import PROJECT
from launcher.processes import commands
from tests.support import demo
from tests.support.database import connection, run
from tests.support.demo import PRODUCTION, loaded, new_settings
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_until

SERVING = ("web", "relay", "worker", "realtime")
"""Every process of production (Procfile, docker-compose.yml)."""

REFUSED = 3
"""What a worker ends with that must not be started again (wsgi.py)."""

REFUSING = f"""
import os, pathlib, time
here = pathlib.Path()
(here / f"{{os.getpid()}}.booting").touch()
while len(list(here.glob("*.booting"))) < 2:
    time.sleep(0.01)
os._exit({REFUSED})
"""
"""An application for two workers, which end at the same moment, without time for gunicorn's SIGTERM."""

LOADING = """
import pathlib, time
pathlib.Path("has_begun").touch()
time.sleep(60)
"""

SENTENCE_END = "run `flask demo purge`, or give production a database of its own."


@pytest.fixture(scope="module")
def production(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Production's environment, over a database that holds the demo."""
    folder: Path = tmp_path_factory.mktemp("production")
    settings = new_settings(redis_server, folder)
    loaded(settings)
    return {**settings, **PRODUCTION, "LOG_LEVEL": "ERROR", "WEB_WORKERS": "1"}


def _run(
    environment: Mapping[str, str], command: Sequence[str], *, folder: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    addresses = local_addresses()
    own = {name: addresses[name] for name in ("BIND", "REALTIME_BIND")}
    return subprocess.run(
        list(command),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=with_programs({**os.environ, **environment, **own}),
    )


def _command(name: str) -> list[str]:
    return shlex.split(commands()[name])


@pytest.mark.parametrize("name", SERVING)
def test_no_process_serves_production_from_a_demo(production: dict[str, str], name: str) -> None:
    """Breaks when one of them starts: the operator of the demo is an admin, with a password that everybody knows."""
    ended = _run(production, _command(name))
    output = ended.stdout + ended.stderr
    assert ended.returncode != 0, output
    assert "user operator@example.com" in output and SENTENCE_END in output
    assert "Traceback" not in output


def test_flask_run_refuses_too(production: dict[str, str]) -> None:
    """And any other server of `wsgi:app`: the refusal is not gunicorn.conf.py's."""
    ended = _run(production, ["flask", "run", "--port", local_addresses()["BIND"].rpartition(":")[2]])
    assert ended.returncode != 0
    assert SENTENCE_END in ended.stdout + ended.stderr


def test_contradictory_provider_settings_end_a_gunicorn_without_our_settings(
    production: dict[str, str],
) -> None:
    """It ends with its worker, instead of starting it again for ever."""
    command = ["gunicorn", "--config", "/dev/null", "--bind", local_addresses()["BIND"], "wsgi:app"]
    ended = _run({**production, "PAYSTACK_SECRET_KEY": "sk_test_51"}, command)
    assert ended.returncode == REFUSED
    assert "PAYSTACK_SECRET_KEY is a test credential, and PAYSTACK_ENV is live" in ended.stderr


def test_gunicorn_ends_when_workers_refuse_at_once(production: dict[str, str], tmp_path: Path) -> None:
    """Which gunicorn itself does not expect. Breaks when it ends with a traceback and status 1."""
    (tmp_path / "refusing.py").write_text(REFUSING)
    command = ["gunicorn", "--config", str(PROJECT / "gunicorn.conf.py"), "refusing:app"]
    ended = _run({**production, "WEB_WORKERS": "2"}, command, folder=tmp_path)
    assert ended.returncode == REFUSED
    assert "Traceback" not in ended.stderr


def test_gunicorn_can_be_stopped_while_a_worker_loads(production: dict[str, str], tmp_path: Path) -> None:
    """Breaks when what the application has is needed to stop."""
    (tmp_path / "loading.py").write_text(LOADING)
    command = ["gunicorn", "--config", str(PROJECT / "gunicorn.conf.py"), "loading:app"]
    bind = {"BIND": local_addresses()["BIND"]}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env=with_programs({**os.environ, **production, **bind}),
    ) as started:
        wait_until((tmp_path / "has_begun").exists, "the worker to load its application")
        started.terminate()
        _, said = started.communicate(timeout=60)
    assert started.returncode == 0
    assert "Traceback" not in said, said


def test_the_database_is_prepared_all_the_same(production: dict[str, str]) -> None:
    """As compose does first."""
    done = demo.command(create_app(production | {"LOG_LEVEL": "WARNING"}), "prepare")
    assert done.exit_code == 0, done.output


@pytest.mark.timeout(300)
def test_after_the_purge_production_runs(production: dict[str, str], tmp_path: Path) -> None:
    """Last in this file: it ends what the tests above look for. Breaks when no process starts the daily reconciliation."""
    with connection(production) as opened:
        run(opened, "DELETE FROM jobs WHERE ref = 'recurring'")
    purged = _run(production, ["flask", "demo", "purge", "--yes"])
    assert purged.returncode == 0, purged.stderr
    with running_stack(production, tmp_path, processes=("web", "relay")) as stack:
        wait_until(lambda: _is_ready(stack), "production is ready")
        answer = requests.post(
            f"{stack.url}/api/v1/auth/login",
            json={"email": "operator@example.com", "password": "SecurePass123!"},
            timeout=30,
        )
        assert answer.status_code == 401
    with connection(production) as opened:
        kinds = run(opened, "SELECT kind FROM jobs WHERE ref = 'recurring' ORDER BY kind")
    assert [kind for (kind,) in kinds] == sorted(RECURRING)
    with pytest.raises(UnfitDatabase, match="Production has been served from this database"):
        installation.require_fit(create_app({**production, "GATEWAY_ENV": "demo", "LOG_LEVEL": "WARNING"}))


def _is_ready(stack: Stack) -> bool:
    return requests.get(f"{stack.url}/health/ready", timeout=30).status_code == 200

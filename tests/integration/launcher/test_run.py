"""`python -m launcher`: starting, stopping, and every way it can go wrong."""

from __future__ import annotations

import shutil
import signal
import socket
import stat
import subprocess
import urllib.request
from collections.abc import Iterator

import psutil
import pytest

from launcher.environment import with_programs
from tests.integration.launcher.stand_in import StandInProject, stand_in_project, wait_for


def answer(project: StandInProject) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{project.port}/health/ready", timeout=30) as response:
        status: int = response.status
        return status


STUBBORN = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("stubborn since now", flush=True)
subprocess.run(["sleep", "600"])
"""


@pytest.fixture(scope="module")
def running() -> Iterator[StandInProject]:
    """One project that runs while tests read it, with a process that does not stop when it should."""
    with stand_in_project() as project:
        (project.folder / "stubborn.py").write_text(STUBBORN)
        with (project.folder / "Procfile").open("a") as procfile:
            procfile.write("stubborn: python stubborn.py\n")
        process = project.start_until_ready()
        yield project
        if process.poll() is None:
            project.finish()


@pytest.fixture(scope="module")
def failing() -> Iterator[StandInProject]:
    """One project that starts in vain."""
    with stand_in_project() as project:
        yield project


def test_run_shows_its_banner(running: StandInProject) -> None:
    assert answer(running) == 200
    assert f"http://localhost:{running.port}/api/v1" in running.text()
    assert "Traceback" not in running.text()


def test_what_holds_secrets_is_readable_by_its_owner_alone(running: StandInProject) -> None:
    for name in ("secrets.env", "run.env", "postgres/passwords.json"):
        assert stat.S_IMODE((running.folder / "var" / name).stat().st_mode) == 0o600, name


def test_nothing_listens_beyond_this_machine(running: StandInProject) -> None:
    assert running.process is not None
    family = [
        running.process.pid,
        *(child.pid for child in psutil.Process(running.process.pid).children(recursive=True)),
    ]
    listening = [
        connection.laddr
        for pid in family
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert running.port in {address.port for address in listening}


def test_a_second_launcher_is_refused_and_the_first_runs_on(running: StandInProject) -> None:
    assert running.process is not None
    status, text = running.run("run")
    assert (status, text) == (
        1,
        f"Malipo is already running here (process {running.process.pid}): stop it first.\n",
    )
    assert answer(running) == 200


def test_a_killed_process_is_named_with_its_signal_and_ends_the_rest(running: StandInProject) -> None:
    """Also what ignores SIGTERM, with its children. Last of the tests that read `running`."""
    process = running.process
    assert process is not None
    wait_for(lambda: "stubborn since now" in running.text(), "the stubborn process has begun")
    gunicorn = next(
        child for child in psutil.Process(process.pid).children() if "gunicorn" in " ".join(child.cmdline())
    )
    gunicorn.kill()
    assert process.wait(60) == 1
    assert "The process web ended unexpectedly (killed by SIGKILL)" in running.text()
    wait_for(
        lambda: running.left_running() == [], "the other processes and the killed one's workers have ended"
    )


def test_data_and_secrets_are_kept_and_the_database_is_prepared_once(project: StandInProject) -> None:
    """Stopped by Ctrl-C, killed, and stopped by SIGTERM: nothing is left running, and the next one starts."""
    preparing = "Applying migrations"
    project.start_until_ready(HAS_MIGRATIONS="1")
    assert preparing in project.text()
    assert project.left_running(), "the check below would see nothing even if something were left"
    assert project.finish(signal.SIGINT) == 0
    assert project.left_running() == []
    assert not (project.folder / "var" / "run.env").exists()
    secrets = (project.folder / "var" / "secrets.env").read_text()

    process = project.start_until_ready(HAS_MIGRATIONS="1")
    assert preparing not in project.text()
    wait_for(lambda: "visits: 1" in project.text(), "the relay counts the first visit alone")
    process.kill()
    process.wait()
    wait_for(lambda: project.left_running() == [], "the launcher's processes have followed it")

    (project.folder / "migrations").mkdir()
    (project.folder / "migrations" / "0008.py").touch()
    project.start_until_ready(HAS_MIGRATIONS="1")
    assert preparing in project.text()
    wait_for(lambda: "visits: 2" in project.text(), "the second visit in the same database")
    assert project.finish(signal.SIGTERM) == 0
    assert project.left_running() == []
    assert (project.folder / "var" / "secrets.env").read_text() == secrets


def test_a_process_that_ends_is_named_and_ends_the_rest(failing: StandInProject) -> None:
    status, text = failing.run("run", RELAY_DIES="1")
    assert status == 1
    assert "The process relay ended unexpectedly (exit status 1)" in text
    assert text.rstrip().endswith("The relay has lost its way.")
    assert failing.left_running() == []


def test_a_failing_migration_is_shown_by_its_own_words(failing: StandInProject) -> None:
    status, text = failing.run("run", PREPARE_FAILS="1")
    assert status == 1
    assert text.rstrip().endswith("The migration 0007 is missing.")
    assert "Traceback" not in text
    assert failing.left_running() == []


def test_it_starts_without_the_scripts_of_pages_when_npm_cannot_be_reached(project: StandInProject) -> None:
    """Said while it starts and below the banner. The next start tries again."""
    shutil.rmtree(project.folder / "app" / "web" / "built")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        registry = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        project.start_until_ready(npm_config_registry=registry)
    assert answer(project) == 200
    sentence = "The scripts of the pages are missing: npm could not install them (ECONNREFUSED). Pages work without them"
    began, banner = project.text().split("Malipo is running")
    assert sentence in began and sentence in banner
    project.finish()
    project.start_until_ready()
    assert "Building the scripts of the pages." in project.text() and "missing" not in project.text()


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_servers_of_the_callers_own_are_checked_and_their_passwords_not_shown(
    failing: StandInProject, name: str
) -> None:
    scheme = {"DATABASE_URL": "postgresql", "REDIS_URL": "redis"}[name]
    status, text = failing.run("run", **{name: f"{scheme}://somebody:hunter2@127.0.0.1:1/0"})
    assert status == 1
    assert f"{name} cannot be used" in text
    assert "hunter2" not in text
    assert "Traceback" not in text


def test_a_missing_program_is_named(failing: StandInProject) -> None:
    """Last of the tests with `failing`, whose Procfile it replaces."""
    (failing.folder / "Procfile").write_text("web: no-such-program --at all\n")
    status, text = failing.run("run")
    assert status == 1
    assert "The process web cannot start: there is no no-such-program." in text


def test_reset_removes_data_and_keeps_secrets(project: StandInProject) -> None:
    """While it runs through the application, and afterwards by removing the servers' files. Both are seen from another
    terminal, the second beside the servers alone."""
    project.start_until_ready()
    assert project.run("reset") == (0, "The running demo has its first data again.\n")
    assert visits(project) == "visits: 0\n"
    project.finish()

    secrets = (project.folder / "var" / "secrets.env").read_text()
    assert project.run("reset")[0] == 0
    assert not (project.folder / "var" / "postgres").exists()
    project.start_until_ready("servers")
    assert visits(project) == "visits: 0\n"
    assert project.finish() == 0
    assert (project.folder / "var" / "secrets.env").read_text() == secrets


def visits(project: StandInProject) -> str:
    """What a command in another terminal counts, with the settings that the launcher has written down."""
    script = "set -a; . var/run.env; set +a; python -c 'import wsgi; wsgi.visits(\"SELECT 1\")'"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=project.folder,
        env=project.environment(PATH=with_programs({})["PATH"]),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr

"""`python -m launcher`: starting, stopping, and every way it can go wrong."""

from __future__ import annotations

import signal
import stat
import subprocess
import urllib.request

import psutil
import pytest

from launcher.environment import with_programs
from tests.integration.launcher.stand_in import House, wait_for


def answer(house: House) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{house.port}/health/ready", timeout=30) as response:
        status: int = response.status
        return status


def test_runs_shows_its_card_and_stops_without_a_trace(house: House) -> None:
    house.start_until_ready()
    assert answer(house) == 200
    assert f"http://localhost:{house.port}/api/v1" in house.text()
    assert house.left_running(), "the check below would see nothing even if something were left"

    assert house.finish() == 0
    assert house.left_running() == []
    assert "Traceback" not in house.text()


def test_sigterm_stops_it_too(house: House) -> None:
    house.start_until_ready()
    assert house.finish(signal.SIGTERM) == 0
    assert house.left_running() == []


def test_data_and_secrets_are_kept_for_the_next_start(house: House) -> None:
    house.start_until_ready()
    house.finish()
    secrets = (house.folder / "var" / "secrets.env").read_text()

    house.start_until_ready()
    wait_for(lambda: "visits: 2" in house.text(), "the second visit in the same database")
    house.finish()
    assert (house.folder / "var" / "secrets.env").read_text() == secrets


def test_code_that_has_prepared_the_database_is_not_asked_again(house: House) -> None:
    asking = "Applying migrations"
    house.start_until_ready(HAS_MIGRATIONS="1")
    assert asking in house.text()
    house.finish()

    house.start_until_ready(HAS_MIGRATIONS="1")
    assert asking not in house.text()
    wait_for(lambda: "visits: 1" in house.text(), "the relay counts the first visit alone")
    house.finish()

    (house.folder / "migrations").mkdir()
    (house.folder / "migrations" / "0008.py").touch()
    house.start_until_ready(HAS_MIGRATIONS="1")
    assert asking in house.text()
    house.finish()


def test_what_holds_secrets_is_readable_by_its_owner_alone(house: House) -> None:
    house.start_until_ready()
    for name in ("secrets.env", "run.env", "postgres/passwords.json"):
        assert stat.S_IMODE((house.folder / "var" / name).stat().st_mode) == 0o600, name
    house.finish()
    assert not (house.folder / "var" / "run.env").exists()


def test_nothing_listens_beyond_this_machine(house: House) -> None:
    process = house.start_until_ready()
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    listening = [
        connection.laddr
        for pid in family
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert house.port in {address.port for address in listening}
    house.finish()


def test_a_process_that_ends_is_named_and_ends_the_rest(house: House) -> None:
    house.start(RELAY_DIES="1")
    assert house.process is not None
    assert house.process.wait(60) == 1
    assert "The process relay ended unexpectedly (exit status 1)" in house.text()
    assert house.text().rstrip().endswith("The relay has lost its way.")
    assert house.left_running() == []


def test_a_killed_process_is_named_with_its_signal(house: House) -> None:
    process = house.start_until_ready()
    gunicorn = next(
        child for child in psutil.Process(process.pid).children() if "gunicorn" in " ".join(child.cmdline())
    )
    gunicorn.kill()
    assert process.wait(60) == 1
    assert "The process app ended unexpectedly (killed by SIGKILL)" in house.text()
    wait_for(lambda: house.left_running() == [], "the killed process's workers have ended")


STUBBORN = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("stubborn since now", flush=True)
subprocess.run(["sleep", "600"])
"""


def test_a_process_that_ignores_sigterm_is_ended_with_its_children(house: House) -> None:
    (house.folder / "stubborn.py").write_text(STUBBORN)
    with (house.folder / "Procfile").open("a") as procfile:
        procfile.write("stubborn: python stubborn.py\n")
    house.start_until_ready()
    wait_for(lambda: "stubborn since now" in house.text(), "the stubborn process has begun")
    assert house.finish() == 0
    assert house.left_running() == []


def test_a_failing_migration_is_shown_by_its_own_words(house: House) -> None:
    status, text = house.run("run", PREPARE_FAILS="1")
    assert status == 1
    assert text.rstrip().endswith("The migration 0007 is missing.")
    assert "Traceback" not in text
    assert house.left_running() == []


def test_a_missing_program_is_named(house: House) -> None:
    (house.folder / "Procfile").write_text("app: no-such-program --at all\n")
    status, text = house.run("run")
    assert status == 1
    assert "The process app cannot start: there is no no-such-program." in text


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_servers_of_the_callers_own_are_checked_and_their_passwords_not_shown(
    house: House, name: str
) -> None:
    scheme = {"DATABASE_URL": "postgresql", "REDIS_URL": "redis"}[name]
    status, text = house.run("run", **{name: f"{scheme}://somebody:hunter2@127.0.0.1:1/0"})
    assert status == 1
    assert f"{name} cannot be used" in text
    assert "hunter2" not in text
    assert "Traceback" not in text


def test_a_second_launcher_is_refused_and_the_first_runs_on(house: House) -> None:
    process = house.start_until_ready()
    status, text = house.run("run")
    assert (status, text) == (1, f"Malipo is already running here (process {process.pid}): stop it first.\n")
    assert answer(house) == 200
    house.finish()


def test_nothing_survives_a_killed_launcher_and_the_next_one_starts(house: House) -> None:
    process = house.start_until_ready()
    process.kill()
    process.wait()
    wait_for(lambda: house.left_running() == [], "the launcher's processes have followed it")

    house.start_until_ready()
    assert house.finish() == 0


def test_reset_of_a_running_house_goes_through_the_application(house: House) -> None:
    house.start_until_ready()
    assert house.run("reset") == (0, "The running demo has its first data again.\n")
    house.finish()
    house.start_until_ready()
    wait_for(lambda: "visits: 1" in house.text(), "the first visit since the reset")
    house.finish()


def test_reset_of_a_stopped_house_removes_its_data_and_keeps_its_secrets(house: House) -> None:
    house.start_until_ready()
    house.finish()
    secrets = (house.folder / "var" / "secrets.env").read_text()
    assert house.run("reset")[0] == 0
    assert not (house.folder / "var" / "postgres").exists()

    house.start_until_ready()
    wait_for(lambda: "visits: 1" in house.text(), "the first visit since the reset")
    house.finish()
    assert (house.folder / "var" / "secrets.env").read_text() == secrets


def test_servers_alone_can_be_used_from_another_terminal(house: House) -> None:
    house.start_until_ready("servers")
    script = "set -a; . var/run.env; set +a; python -c 'import wsgi; wsgi.visits(\"SELECT 1\")'"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=house.folder,
        env=house.environment(PATH=with_programs({})["PATH"]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "visits: 0\n", done.stderr
    assert house.finish() == 0

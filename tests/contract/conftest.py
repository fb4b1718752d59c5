"""A whole demo: web, relay, worker and simulators on servers of their own, for documents', README's and tour's commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.embedded import APPLICATION, OWNER
from tests.support import servers
from tests.support.house import PROJECT, House, running_house


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    postgres, redis_server = servers.postgres(), servers.new_redis()
    database, folder = servers.new_database(), tmp_path_factory.mktemp("house")
    environment = servers.environment(
        postgres.url(APPLICATION, database), postgres.url(OWNER, database), redis_server.url(), mode="demo",
        var_dir=folder / "files", KYC_AUTO_VERIFY_S="0.2", SANDBOX_AUTOPAY_S="0.5", LOG_LEVEL="INFO",
    )  # fmt: skip
    del environment["SANDBOX_URL"]  # the house knows where its own is
    try:
        with running_house(environment, folder, processes=("app", "relay", "worker", "sandbox")) as house:
            yield house
    finally:
        redis_server.destroy()


@pytest.fixture
def demo(house: House) -> House:
    """The house with the demo data as on the first day."""
    _flask(house, "demo", "reset")
    return house


@pytest.fixture(scope="session")
def merchant(house: House) -> House:
    """The house with the demo's merchant, whatever others have left there."""
    _flask(house, "demo", "load")
    return house


def _flask(house: House, *command: str) -> None:
    subprocess.run(["flask", *command], cwd=PROJECT, env=house.environment, check=True, capture_output=True)


@pytest.fixture(scope="session")
def uuidgen(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A folder with a `uuidgen`, which document 001's commands need; None where the machine has its own."""
    from shutil import which

    if which("uuidgen"):
        return None
    folder = tmp_path_factory.mktemp("programs")
    program = folder / "uuidgen"
    program.write_text(f"#!{sys.executable}\nimport uuid\nprint(uuid.uuid4())\n")
    program.chmod(0o755)
    return folder


@pytest.fixture
def shell(house: House, uuidgen: Path | None) -> dict[str, str]:
    """The environment of a shell that documents' commands are pasted into."""
    path = house.environment["PATH"]
    return house.environment | {"PATH": f"{uuidgen}{os.pathsep}{path}" if uuidgen else path}

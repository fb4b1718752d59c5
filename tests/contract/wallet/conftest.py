"""A whole demo: web, relay and worker on servers of their own, for the documents' and the README's commands."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

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
        var_dir=folder / "files", KYC_AUTO_VERIFY_S="0.2",
    )  # fmt: skip
    try:
        with running_house(environment, folder, processes=("app", "relay", "worker")) as house:
            yield house
    finally:
        redis_server.destroy()


@pytest.fixture
def demo(house: House) -> House:
    """The house with the demo data as on the first day."""
    subprocess.run(
        ["flask", "demo", "reset"], cwd=PROJECT, env=house.environment, check=True, capture_output=True
    )
    return house

"""One world for all of a process's tests of payments that survive; each begins with quiet simulators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import clock
from tests.support import servers
from tests.support.world import World, paying_world


@pytest.fixture(scope="session")
def shared_world(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    database = servers.new_database()
    postgres = servers.postgres()
    own = {
        **settings,
        "DATABASE_URL": postgres.url(servers.APPLICATION, database),
        "DATABASE_OWNER_URL": postgres.url(servers.OWNER, database),
    }
    with paying_world(own, tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """No rules, no customers on their way, and the machine's time."""
    shared_world.sandbox.control({"rules": [], "autopay_s": 0, "advance_s": 0})
    shared_world.advanced_s = 0.0
    clock.reset()
    yield shared_world
    shared_world.quiet()

"""Worlds to break payments in. Tests share one; a test that left it with books that differ costs the next a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app import clock
from tests.support import servers
from tests.support.health import forget_health
from tests.support.world import HTTP_PROVIDERS, World, paying_world

FLOAT = 5_000
"""Paid through every provider before the first test, so that the merchant can bear fees and still refund in full."""


class Worlds:
    """The world in use, on a database of its own. more: settings that differ."""

    def __init__(self, settings: dict[str, str], folders: pytest.TempPathFactory, **more: str) -> None:
        self._settings, self._folders, self._more = settings, folders, more
        self._world: World | None = None
        self._open = ExitStack()

    def usable(self) -> World:
        """A world with quiet simulators, no rules, the machine's time, and books that agree."""
        if self._world is not None and not _is_sound(self._world):
            self.close()
        if self._world is None:
            self._world = self._new()
        return self._world

    def close(self) -> None:
        clock.reset()
        self._world = None
        self._open.close()

    def _new(self) -> World:
        database, postgres = servers.new_database(), servers.postgres()
        own = {
            **self._settings,
            "DATABASE_URL": postgres.url(servers.APPLICATION, database),
            "DATABASE_OWNER_URL": postgres.url(servers.OWNER, database),
        }
        world = self._open.enter_context(paying_world(own, self._folders.mktemp("world"), **self._more))
        for provider in HTTP_PROVIDERS:
            assert world.settle(world.begin(provider, FLOAT))["status"] == "completed", provider
        world.assert_books_agree()
        _calm(world)
        return world


def _calm(world: World) -> None:
    world.sandbox.control({"rules": [], "autopay_s": 0, "advance_s": 0})
    world.advanced_s = 0.0
    clock.reset()
    forget_health(world.app)


def _is_sound(world: World) -> bool:
    _calm(world)
    try:
        world.quiet()
        world.assert_books_agree()
    except AssertionError:
        return False
    return True


@pytest.fixture(scope="session")
def worlds(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    opened = Worlds(settings, tmp_path_factory)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def pulling_worlds(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    opened = Worlds(settings, tmp_path_factory, MPESA_PULL="true")
    yield opened
    opened.close()


@pytest.fixture
def world(worlds: Worlds) -> World:
    """No rules, no customers on their way, and the machine's time."""
    return worlds.usable()


@pytest.fixture
def pulling_world(pulling_worlds: Worlds) -> World:
    """A merchant whose M-Pesa shortcode is registered for the pull API."""
    return pulling_worlds.usable()

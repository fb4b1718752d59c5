"""Houses that may be broken: processes to kill, and a Redis and a Postgres of their own to lose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from launcher.embedded import APPLICATION, OWNER, EmbeddedPostgres, EmbeddedRedis
from tests.support import servers
from tests.support.house import House, running_house

STORM_SETTINGS = {"mode": "demo", "REALTIME": "external", "WEB_WORKERS": "2", "WEB_THREADS": "16"}


@dataclass(frozen=True)
class Site:
    """A running house, and the application in this process on the same database, for looking into it."""

    house: House
    app: Flask
    redis: EmbeddedRedis
    postgres: EmbeddedPostgres
    settings: dict[str, str]


@contextmanager
def a_site(folder: Path, *, has_own_postgres: bool = False) -> Iterator[Site]:
    with ExitStack() as stack:
        postgres = (
            stack.enter_context(EmbeddedPostgres.temporary()) if has_own_postgres else servers.postgres()
        )
        redis = stack.enter_context(EmbeddedRedis.temporary())
        database = servers.new_database(postgres)
        settings = servers.environment(
            postgres.url(APPLICATION, database),
            postgres.url(OWNER, database),
            redis.url(),
            var_dir=folder / "files",
            **STORM_SETTINGS,
        )
        app = create_app(settings)
        house = stack.enter_context(running_house(settings, folder, processes=("app", "relay")))
        yield Site(house, app, redis, postgres, settings)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for the tests of a file that leave it running."""
    with a_site(tmp_path_factory.mktemp("site")) as made:
        yield made

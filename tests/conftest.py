"""Fixtures of every test: a real Postgres and Redis, the application on them, and a clock that is reset."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app import clock, create_app
from launcher import addresses
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import network_guard, servers

pytest_plugins = ("tests.support.openapi_check", "tests.support.folder_end", "tests.support.schedule")


def pytest_configure(config: pytest.Config) -> None:
    # The controller of xdist starts Postgres before its workers are born; without xdist the first test that asks does.
    is_controller = not hasattr(config, "workerinput") and bool(getattr(config.option, "numprocesses", None))
    if is_controller and not config.option.collectonly:
        servers.postgres()
    _take_own_ports(getattr(config, "workerinput", {}))


def _take_own_ports(worker: dict[str, Any]) -> None:
    """Processes that choose ports at the same time choose different ones, although they bind them later."""
    if worker:
        number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        addresses.PORTS = addresses.PORTS[number::count]


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.stop()


@pytest.fixture(scope="session", autouse=True)
def no_external_connections() -> Iterator[None]:
    network_guard.forbid_external()
    yield
    network_guard.allow_external()


@pytest.fixture(autouse=True)
def machine_time() -> Iterator[None]:
    """A test may `clock.travel`; the next one starts at the machine's time."""
    yield
    clock.reset()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """This process's own Redis."""
    server = servers.new_redis()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def settings(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of `app`: a database of this process's own, cloned from the migrated template."""
    postgres = servers.postgres()
    database = servers.new_database()
    var_dir: Path = tmp_path_factory.mktemp("var")
    return servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis_server.url(),
        var_dir=var_dir,
    )


@pytest.fixture(scope="session")
def app(settings: dict[str, str]) -> Flask:
    """The application in test mode. Tests that need other settings make their own from `settings`."""
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def rows(app: Flask) -> Callable[..., list[Any]]:
    """`rows("SELECT …", name=value)`: what the database says, as the application's role reads it."""
    from app.unit_of_work import reading

    def read(statement: str, **values: object) -> list[Any]:
        with app.app_context(), reading() as session:
            return list(session.execute(text(statement), values))

    return read


@pytest.fixture
def publish(app: Flask) -> Callable[[], None]:
    """Run the relay until the outbox is empty: publish, complete payments, fold, push."""
    from app.cli.relay import make_push_loop, make_relay
    from tests.support.event_log import NoPushes

    def run() -> None:
        with app.app_context():
            relay, push_loop = make_relay(app.config, NoPushes()), make_push_loop(app.config)
            try:
                while relay.step():
                    pass
                while push_loop.step():
                    pass
            finally:
                relay.close()
                push_loop.close()

    return run


@pytest.fixture
def run_due_jobs(app: Flask) -> Callable[[], int]:
    """Run every job that is due by `clock.now()`, here and now; how many ran."""
    from app.unit_of_work import reading
    from app.worker.runner import run_job

    due = text("SELECT id FROM jobs WHERE state = 'due' AND run_at <= :now ORDER BY run_at")

    def run() -> int:
        with app.app_context():
            with reading() as session:
                found: list[uuid.UUID] = list(session.scalars(due, {"now": clock.now()}))
            for job_id in found:
                run_job(job_id)
            return len(found)

    return run

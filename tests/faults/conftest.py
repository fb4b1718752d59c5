"""Running stacks for tests that race and kill: real processes, a database of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from launcher.embedded import APPLICATION, OWNER, EmbeddedPostgres, EmbeddedRedis
from tests.support import invariants, servers
from tests.support.folder_end import call_at_end_of
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_until

WEB = {"REALTIME": "external", "WEB_WORKERS": "1", "WEB_THREADS": "64", "LOG_LEVEL": "ERROR"}


@dataclass(frozen=True)
class StackWithApp:
    """A running stack, and an application on the same database for creating users and for queries."""

    processes: Stack
    app: Flask
    settings: dict[str, str]

    @property
    def url(self) -> str:
        return self.processes.url

    def reconnect(self) -> None:
        """Let the test's own application forget its connections: Postgres was down."""
        with self.app.app_context():
            db.engine.dispose()
            if engine := self.app.extensions.get("autocommit_engine"):
                engine.dispose()

    def wait_for_more_payments(self, count: int) -> None:
        """Until `count` more than now are posted: the progress of the traffic, whatever the machine's speed."""

        def payment_count() -> int:
            number: int = invariants.query(self.app, "SELECT count(*) FROM wallet_payments")[0][0]
            return number

        wanted = payment_count() + count
        wait_until(lambda: payment_count() >= wanted, f"{count} more payments", timeout_s=60, every_s=0.05)

    def assert_invariants(self, *, timeout_s: float = 30.0) -> None:
        """The ledger, the log and the answers are consistent; no request ended in an unexpected error."""
        invariants.assert_invariants(self.app, timeout_s=timeout_s)
        assert "unhandled" not in self.processes.log("web").read_text(), "a 500 was answered"


@contextmanager
def open_stack(
    postgres: EmbeddedPostgres, redis: EmbeddedRedis, folder: Path, **more: str
) -> Iterator[StackWithApp]:
    """A stack on a new database of `postgres`."""
    database = servers.new_database(postgres)
    settings = servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis.url(),
        var_dir=folder / "files",
        **(WEB | more),
    )
    app = create_app(settings | {"LOG_LEVEL": "WARNING"})  # the level is the whole process's
    with running_stack(settings, folder) as stack:
        race_stack = StackWithApp(stack, app, settings)
        yield race_stack
    race_stack.reconnect()


@pytest.fixture(scope="session")
def shared_stack(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackWithApp]:
    """For tests that race, within a web process and between two, and leave every process as they found it."""
    folder = tmp_path_factory.mktemp("stack")
    with open_stack(servers.postgres(), redis_server, folder, WEB_WORKERS="2") as race_stack:
        call_at_end_of(Path(__file__).parent, race_stack.processes.kill_all)
        yield race_stack


@pytest.fixture
def race_stack(shared_stack: StackWithApp) -> Iterator[StackWithApp]:
    """The shared stack; its invariants are checked after each test."""
    yield shared_stack
    shared_stack.assert_invariants()


@pytest.fixture(scope="session")
def own_redis() -> Iterator[EmbeddedRedis]:
    """The Redis of `own_stack` alone."""
    server = servers.new_redis()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def own_stack(own_redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackWithApp]:
    """A stack whose processes and Redis a test may kill, and starts again."""
    with open_stack(servers.postgres(), own_redis, tmp_path_factory.mktemp("stack")) as race_stack:
        call_at_end_of(Path(__file__).parent, race_stack.processes.kill_all)
        yield race_stack

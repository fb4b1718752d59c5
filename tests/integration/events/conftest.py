"""A database of each test's own, since a log is numbered from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import factories, servers
from tests.support.database import connection

KEY = b"k" * 32


@contextmanager
def fresh_settings(redis_url: str, var_dir: Path) -> Iterator[dict[str, str]]:
    """An environment on a fresh, empty database."""
    postgres = servers.postgres()
    database = servers.new_database()
    urls = postgres.url(APPLICATION, database), postgres.url(OWNER, database)
    yield servers.environment(*urls, redis_url, var_dir=var_dir)
    postgres.drop_database(database)


@contextmanager
def fresh_app(settings: dict[str, str]) -> Iterator[Flask]:
    """An application whose connections are closed at the end."""
    app = create_app(settings)
    yield app
    with app.app_context():
        db.engine.dispose()
        if engine := app.extensions.get("autocommit_engine"):
            engine.dispose()


@pytest.fixture
def log_settings(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[dict[str, str]]:
    with fresh_settings(redis_server.url(), tmp_path) as settings:
        yield settings


@pytest.fixture
def log_app(log_settings: dict[str, str]) -> Iterator[Flask]:
    with fresh_app(log_settings) as app:
        yield app


@pytest.fixture
def relay_connection(log_settings: dict[str, str]) -> Iterator[Any]:
    """What a publisher works on."""
    with connection(log_settings, is_autocommit=False) as opened:
        yield opened


@pytest.fixture
def reader(log_settings: dict[str, str]) -> Iterator[Any]:
    with connection(log_settings) as opened:
        yield opened


@pytest.fixture
def pay(log_app: Flask) -> Callable[[], str]:
    """Pays one dollar; the payment's id."""
    sender, recipient = factories.make_user(log_app), factories.make_user(log_app)
    source = factories.make_wallet(log_app, sender, balance="1000")
    destination = factories.make_wallet(log_app, recipient)
    client = log_app.test_client()

    def run_one() -> str:
        body = {"amount": 1, "source_wallet_id": source, "destination": destination}
        answer = client.post("/api/v1/payments", json=body, headers=sender.headers)
        assert answer.status_code == 201
        payment_id: str = answer.json["payment_id"]
        return payment_id

    return run_one

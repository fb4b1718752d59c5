"""The connection to Postgres breaks between a COMMIT and its answer: what was done is reported as done, once.

Seen failing when `transaction` tries again without asking whether the first try was committed.
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.services.tenants import api_keys
from tests.support.factories import make_user
from tests.support.postgres_proxy import PostgresProxy, postgres_proxy
from tests.support.tenants import make_merchant

Rows = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def proxy(settings: dict[str, str]) -> Iterator[PostgresProxy]:
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres_proxy(settings["DATABASE_URL"], Path(folder)) as proxy,
    ):
        yield proxy


@pytest.fixture(scope="module")
def app_behind_proxy(settings: dict[str, str], proxy: PostgresProxy) -> Flask:
    """An application that reaches the database of `settings` through the proxy."""
    return create_app({**settings, "DATABASE_URL": proxy.url})


@pytest.fixture
def run(app_behind_proxy: Flask, proxy: PostgresProxy) -> Callable[..., str]:
    """Run a command whose commit is not answered; what it prints."""

    def command(*words: str) -> str:
        before = proxy.lost
        proxy.lose_next_answer()
        done = app_behind_proxy.test_cli_runner().invoke(args=list(words))
        assert proxy.lost == before + 1
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


def _events(rows: Rows, object_id: str) -> list[str]:
    found = rows("SELECT type FROM outbox WHERE object_id = :id ORDER BY id", id=object_id)
    return [row.type for row in found]


def test_a_new_tenants_key_is_shown_and_works(app: Flask, run: Callable[..., str], rows: Rows) -> None:
    """Breaks when the second try ends in an IntegrityError: the key was stored and was never shown."""
    shown = run("tenants", "create", f"Duka {uuid.uuid4().hex[:6]}")
    tenant_id, key = re.search(r"Tenant (\S+) ", shown)[1], re.search(r"only now: (\S+)", shown)[1]
    with app.app_context():
        assert str(api_keys.authenticate(key)[0]) == tenant_id
    assert _events(rows, tenant_id) == ["tenant.created", "api_key.created"]


def test_another_key_is_stored_once(app: Flask, run: Callable[..., str], rows: Rows) -> None:
    merchant = make_merchant(app)
    key = re.search(r"only now: (\S+)", run("tenants", "add-key", str(merchant.tenant_id), "till 2"))[1]
    with app.app_context():
        assert api_keys.authenticate(key)[0] == merchant.tenant_id
    assert _events(rows, str(merchant.tenant_id)).count("api_key.created") == 2


def test_a_revoked_key_is_reported_as_revoked(app: Flask, run: Callable[..., str], rows: Rows) -> None:
    """Breaks when the second try finds no key in use and says so."""
    merchant = make_merchant(app)
    run("tenants", "revoke-key", merchant.api_key[:16])
    assert _events(rows, str(merchant.tenant_id)).count("api_key.revoked") == 1


def test_a_granted_scope_is_reported_as_new(app: Flask, run: Callable[..., str]) -> None:
    """Breaks when the second try finds the scope there already."""
    user = make_user(app)
    assert run("users", "grant", user.email, "admin") == f"{user.email} has the scope admin.\n"

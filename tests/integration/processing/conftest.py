"""A demo with the keys of document 003, and a tenant of each test's own without limits or fees."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.models.tenant import Permission, Plan
from app.services.demo import load as demo_data
from app.services.demo.objects import ADMIN_KEY, PROCESSING_TENANT_ID, READ_ONLY_KEY, STANDARD_KEY
from app.services.tenants import key_changes, tenants
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import servers
from tour.backend import PAYMENT as DOCUMENTS_PAYMENT

PAYMENT = dict(DOCUMENTS_PAYMENT)
"""The document's request."""


@dataclass(frozen=True)
class Caller:
    """A merchant's backend with one key."""

    client: FlaskClient
    key: str

    def get(self, path: str, **kwargs: Any) -> Any:
        return self.client.get(f"/v1{path}", headers=self.headers(), **kwargs)

    def post(self, path: str, *, key: str | None = None, **kwargs: Any) -> Any:
        return self.client.post(f"/v1{path}", headers=self.headers(key), **kwargs)

    def pay(self, *, key: str | None = None, **differing: Any) -> Any:
        """The answer to the document's request, with other fields; `...` omits one."""
        body = {name: value for name, value in (PAYMENT | differing).items() if value is not ...}
        return self.post("/payments", key=key, json=body)

    def paid(self, **differing: Any) -> dict[str, Any]:
        answer = self.pay(**differing)
        assert answer.status_code == 201, answer.data
        body: dict[str, Any] = answer.json
        return body

    def headers(self, key: str | None = None) -> dict[str, str]:
        found = {"Authorization": f"Bearer {self.key}"}
        return found | ({"Idempotency-Key": key} if key is not None else {})


@pytest.fixture(scope="session")
def demo_settings(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A demo on a database of its own."""
    postgres, database = servers.postgres(), servers.new_database()
    folder: Path = tmp_path_factory.mktemp("processing")
    return servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis_server.url(7),
        mode="demo",
        var_dir=folder,
        RATE_LIMIT_PROCESSING="100000/minute",
    )


@pytest.fixture(scope="session")
def demo(demo_settings: dict[str, str]) -> Flask:
    """The demo with its data."""
    app = create_app(demo_settings)
    with app.app_context():
        demo_data.load()
    return app


MakeKey = Callable[..., Caller]


@pytest.fixture
def make_key(demo: Flask) -> MakeKey:
    """Another key, of a new tenant or of the one named, with some permissions or all."""

    def make(*permissions: Permission, tenant_id: Any = None) -> Caller:
        with demo.app_context():
            if tenant_id is None:
                tenant_id = tenants.create_tenant(f"Shop {secrets.token_hex(4)}", Plan.ENTERPRISE)[0].id
            _, key = key_changes.add_api_key(tenant_id, "key", permissions=permissions or None)
        return Caller(demo.test_client(), key)

    return make


@pytest.fixture
def shop(make_key: MakeKey) -> Caller:
    return make_key()


@pytest.fixture
def standard(demo: Flask) -> Caller:
    """The document's keys, of the demo's Processing tenant."""
    return Caller(demo.test_client(), STANDARD_KEY)


@pytest.fixture
def admin(demo: Flask) -> Caller:
    return Caller(demo.test_client(), ADMIN_KEY)


@pytest.fixture
def reader(demo: Flask) -> Caller:
    return Caller(demo.test_client(), READ_ONLY_KEY)


@pytest.fixture
def processing_key(make_key: MakeKey) -> Caller:
    """A key of the demo's Processing tenant without a limit: its wallets can pay refunds."""
    return make_key(tenant_id=PROCESSING_TENANT_ID)

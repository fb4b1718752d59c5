"""Applications in each mode, with routes that only say who was let in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.http.guards import MERCHANT, MERCHANT_OR_USER, USER_SESSION, current_principal
from app.http.table import Policy, policies
from app.models.member import Role
from app.models.user import Scope
from app.rate_limits import Limit
from app.services.demo import load as demo_data
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import servers
from tests.support.customers import CustomerClient, make_customer
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

PROBES = {
    "merchant": Policy(MERCHANT, Limit.MERCHANT),
    "either": Policy(MERCHANT_OR_USER, merchant_limit=Limit.MERCHANT),
    "operator": Policy(USER_SESSION, scope=Scope.ADMIN),
    "seldom": Policy(MERCHANT, Limit.PAYMENTS),
}


def probed(settings: Mapping[str, str]) -> Flask:
    """An application with /api/v1/probe/{merchant,either,operator,seldom}, each with its policy."""
    app = create_app(settings)

    def say() -> dict[str, str | None]:
        principal = current_principal()
        if principal.tenant is not None:
            key = str(principal.credential) if principal.credential else None
            return {"tenant": str(principal.tenant), "key": key}
        return {"user": principal.event_actor}

    for name, policy in PROBES.items():
        app.add_url_rule(f"/api/v1/probe/{name}", f"probe_{name}", say)
        policies(app)[f"probe_{name}"] = policy
    return app


@pytest.fixture(scope="module")
def probe_app(settings: dict[str, str]) -> Flask:
    return probed(settings)


@pytest.fixture(scope="module")
def second_app(settings: dict[str, str]) -> Flask:
    """Another process of the same gateway."""
    return create_app(settings)


@pytest.fixture
def owner(app: Flask, merchant: MerchantClient) -> MemberClient:
    return make_member(app, merchant, Role.OWNER)


@pytest.fixture(scope="module")
def production_app(settings: dict[str, str]) -> Flask:
    return probed({**settings, "GATEWAY_ENV": "production", "REALTIME": "external"})


@pytest.fixture(scope="session")
def demo_settings(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A demo on a database of its own."""
    postgres, database = servers.postgres(), servers.new_database()
    folder: Path = tmp_path_factory.mktemp("demo")
    return servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis_server.url(5),
        mode="demo",
        var_dir=folder,
    )


@pytest.fixture(scope="module")
def demo_app(demo_settings: dict[str, str]) -> Flask:
    """A demo with its data."""
    app = probed(demo_settings)
    with app.app_context():
        demo_data.load()
    return app


@pytest.fixture
def merchant(app: Flask) -> MerchantClient:
    return make_merchant(app)


@pytest.fixture
def customer(app: Flask, merchant: MerchantClient) -> CustomerClient:
    return make_customer(app, merchant, name="Jane")

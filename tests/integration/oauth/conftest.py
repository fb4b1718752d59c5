"""An application, and a route that says who was let in by its token."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.http.guards import PROCESSING, current_principal
from app.http.table import Policy, policies
from app.models.tenant import Permission
from tests.support.oauth import OAuthApplication, Status, make_application
from tests.support.tenants import MerchantClient, make_merchant

PROBES = {"read": Permission.PAYMENTS_READ, "write": Permission.PAYMENTS_WRITE}


def probed(settings: dict[str, str]) -> Flask:
    """An application with /v1/probe/{read,write}, which need the permission of that name."""
    app = create_app(settings)

    def say() -> dict[str, str]:
        return {"tenant": str(current_principal().tenant_id), "actor": current_principal().event_actor}

    for name, permission in PROBES.items():
        app.add_url_rule(f"/v1/probe/{name}", f"probe_{name}", say)
        policies(app)[f"probe_{name}"] = Policy(PROCESSING, None, permission=permission)
    return app


@pytest.fixture(scope="module")
def oauth_app(settings: dict[str, str]) -> Flask:
    return probed(settings)


@pytest.fixture
def merchant(oauth_app: Flask) -> MerchantClient:
    return make_merchant(oauth_app)


@pytest.fixture
def application(oauth_app: Flask, merchant: MerchantClient) -> OAuthApplication:
    """Confidential, of the merchant's, for payments:read and payments:write."""
    return make_application(oauth_app, merchant.tenant_id)


@pytest.fixture
def public_application(oauth_app: Flask, merchant: MerchantClient) -> OAuthApplication:
    return make_application(oauth_app, merchant.tenant_id, is_public=True)


@pytest.fixture
def status(oauth_app: Flask) -> Status:
    """`status(token, "write")`: what a call with the token is answered with."""

    def call(token: str, probe: str = "read") -> int:
        headers = {"Authorization": f"Bearer {token}"}
        answer: Any = oauth_app.test_client().get(f"/v1/probe/{probe}", headers=headers)
        return int(answer.status_code)

    return call


@pytest.fixture
def tenant_of(oauth_app: Flask) -> Any:
    """`tenant_of(token)`: for which tenant the token acts."""

    def call(token: str) -> uuid.UUID:
        headers = {"X-API-Key": token}
        return uuid.UUID(oauth_app.test_client().get("/v1/probe/read", headers=headers).json["tenant"])

    return call

"""A business registers: user, tenant, Owner and key at once; logins of members name their tenants."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.models.member import Role
from app.services.tenants import member_changes, suspension
from tests.support.factories import PASSWORD, make_user
from tests.support.gateway import OPERATOR
from tests.support.tenants import make_merchant


def _register(app: Flask, *, prefix: str = "/v1", **body: Any) -> Any:
    email = f"owner-{secrets.token_hex(6)}@example.com"
    whole = {"email": email, "password": PASSWORD, "business_name": "Duka Moja"} | body
    return app.test_client().post(f"{prefix}/auth/register", json=whole)


def _log_in(app: Flask, email: str) -> dict[str, Any]:
    body = {"email": email, "password": PASSWORD}
    found: dict[str, Any] = app.test_client().post("/v1/auth/login", json=body).get_json()
    return found


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_a_business_gets_a_tenant_whose_owner_it_is_and_a_key(
    app: Flask, prefix: str, rows: Callable[..., list[Any]]
) -> None:
    answer = _register(app, prefix=prefix, phone="+254712345678")
    assert answer.status_code == 201, answer.text
    made = answer.get_json()
    tenant = made["tenant"]
    key = tenant.pop("api_key")
    expected = {"name": "Duka Moja", "role": "owner", "plan": "starter", "currency": "KES"}
    assert tenant == expected | {"id": tenant["id"]}
    assert (made["user"]["first_name"], made["user"]["last_name"]) == ("", "") and "tenant" not in made[
        "data"
    ]
    headers = {
        "X-TENANT-ID": tenant["id"],
        "X-TENANT-API-KEY": key,
        "Authorization": f"Bearer {made['token']}",
    }
    listed = app.test_client().get(f"{prefix}/members", headers=headers).get_json()["results"]
    assert [(one["user_id"], one["role"]) for one in listed] == [(made["user_id"], "owner")]
    keys = app.test_client().get(f"{prefix}/api-keys", headers=headers)
    assert keys.get_json()["results"][0]["created_by"] == made["user_id"] and key not in keys.text
    found = rows(
        "SELECT type FROM outbox WHERE tenant_id = :id AND actor = :actor "
        "UNION ALL SELECT type FROM events WHERE tenant_id = :id AND actor = :actor",
        id=tenant["id"],
        actor=made["user_id"],
    )
    assert {row.type for row in found} == {"tenant.created", "api_key.created", "member.joined"}


def test_names_and_currency_are_kept(app: Flask) -> None:
    made = _register(app, first_name="Dana", last_name="Okafor", currency="ugx").get_json()
    assert made["user"]["last_name"] == "Okafor" and made["tenant"]["currency"] == "UGX"


def test_a_known_address_makes_no_tenant(app: Flask, rows: Callable[..., list[Any]]) -> None:
    name = f"Duka {secrets.token_hex(6)}"
    refused = _register(app, email=make_user(app).email, business_name=name)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "EMAIL_EXISTS")
    assert rows("SELECT id FROM tenants WHERE name = :name", name=name) == []


def test_a_person_needs_names(app: Flask) -> None:
    body = {"email": f"person-{secrets.token_hex(6)}@example.com", "password": PASSWORD, "first_name": "Dana"}
    refused = app.test_client().post("/api/v1/auth/register", json=body)
    assert refused.status_code == 400
    assert refused.get_json()["error"]["field"] == "last_name"


def test_a_login_names_the_tenants_that_the_user_can_act_for(app: Flask) -> None:
    """And the body of a user without any is as it was."""
    user = make_user(app)
    assert {"tenant", "tenants"}.isdisjoint(_log_in(app, user.email))
    first, second, third = (make_merchant(app) for _ in range(3))
    with app.app_context():
        for merchant, role in ((first, Role.FINANCE), (second, Role.ADMIN), (third, Role.OWNER)):
            member_changes.add_member(merchant.tenant_id, user.email, role, operator=OPERATOR)
        suspension.suspend_tenant(third.tenant_id, reason="a test", operator=OPERATOR)
    opened = _log_in(app, user.email)
    known = [(str(first.tenant_id), "finance"), (str(second.tenant_id), "admin")]
    assert [(one["id"], one["role"]) for one in opened["tenants"]] == known
    assert opened["tenant"] == opened["tenants"][0] and set(opened["tenant"]) == {"id", "name", "role"}
    with app.app_context():
        member_changes.suspend_member(first.tenant_id, user.email, reason="a test", actor=OPERATOR)
    headers = {"Authorization": f"Bearer {opened['refresh_token']}"}
    refreshed = app.test_client().post("/api/v1/auth/refresh", headers=headers).get_json()
    assert [(one["id"], one["role"]) for one in refreshed["tenants"]] == known[1:]


def test_an_operator_may_keep_registration_to_themselves(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "BUSINESS_REGISTRATION", False)
    answer = _register(app)
    assert answer.status_code == 400 and answer.get_json()["error"]["field"] == "business_name"

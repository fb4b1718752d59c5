"""What the Tenant API answers to credentials that are missing, wrong, ended or another's, under both prefixes."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.models.member import Role
from app.services.identity import suspension as users_suspension
from app.services.tenants import member_changes, suspension
from tests.support.factories import make_user
from tests.support.gateway import OPERATOR
from tests.support.tenants import MemberClient, make_member, make_merchant, tenant_headers

PREFIXES = ("/api/v1", "/v1")

Headers = dict[str, str]


@pytest.fixture(params=PREFIXES)
def path(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/api-keys"


def _get(app: Flask, path: str, headers: Headers) -> Any:
    return app.test_client().get(path, headers=headers)


def _code(app: Flask, path: str, headers: Headers) -> tuple[int, str]:
    """Status and code; the body is exactly the document's."""
    answer = _get(app, path, headers)
    (error,) = answer.get_json().values()
    assert list(answer.get_json()) == ["error"] and set(error) == {"code", "message"}, answer.text
    return answer.status_code, error["code"]


def _but(headers: Headers, **changes: str | None) -> Headers:
    """The headers with these changed (`x_tenant_id`), or left out (None)."""
    changed = {name.replace("_", "-").title(): value for name, value in changes.items()}
    kept = {name.title(): value for name, value in headers.items()} | changed
    return {name: value for name, value in kept.items() if value is not None}


def test_all_three_open(app: Flask, owner: MemberClient, path: str) -> None:
    assert _get(app, path, owner.headers).status_code == 200
    upper = _but(owner.headers, x_tenant_id=str(owner.merchant.tenant_id).upper())
    assert _get(app, path, upper).status_code == 200


def test_without_a_key_credentials_are_missing(app: Flask, owner: MemberClient, path: str) -> None:
    for headers in ({}, _but(owner.headers, x_tenant_api_key=None), owner.user.headers):
        assert _code(app, path, headers) == (401, "MISSING_CREDENTIALS")
    as_bearer = {"X-Tenant-Id": str(owner.merchant.tenant_id)} | owner.merchant.bearer
    assert _code(app, path, as_bearer) == (401, "MISSING_CREDENTIALS")


def test_a_tenants_id_is_needed_and_checked(app: Flask, owner: MemberClient, path: str) -> None:
    for missing in (None, "", "  "):
        assert _code(app, path, _but(owner.headers, x_tenant_id=missing)) == (401, "MISSING_TENANT_ID")
    own = owner.merchant.tenant_id
    for wrong in ("tenant-uuid", str(uuid.uuid4()), own.hex, f"{{{own}}}", f"urn:uuid:{own}"):
        assert _code(app, path, _but(owner.headers, x_tenant_id=wrong)) == (401, "INVALID_TENANT")


def test_a_key_must_be_good_and_the_tenants(app: Flask, owner: MemberClient, path: str) -> None:
    foreign = make_merchant(app)
    for wrong in ("", "nonsense", owner.merchant.api_key[:-1], foreign.api_key):
        assert _code(app, path, _but(owner.headers, x_tenant_api_key=wrong)) == (401, "INVALID_API_KEY")
    with_its_id = _but(owner.headers, x_tenant_id=str(foreign.tenant_id))
    assert _code(app, path, with_its_id) == (401, "INVALID_API_KEY")


def test_a_token_that_is_sent_must_be_good(app: Flask, owner: MemberClient, path: str) -> None:
    """It is never ignored: the request would pass as the key's alone."""
    wrong = (
        "",
        "Bearer",
        "Bearer x",
        "Bearer a.b.c",
        "Basic dXNlcjpwYXNz",
        f"Bearer {owner.user.refresh_token}",
    )
    for header in (*wrong, f"Bearer {owner.merchant.api_key}"):
        assert _code(app, path, _but(owner.headers, authorization=header)) == (401, "INVALID_TOKEN")
    app.test_client().post("/v1/auth/logout", headers=owner.user.headers)
    assert _code(app, path, owner.headers) == (401, "INVALID_TOKEN")


def test_an_expired_token_and_a_suspended_user_are_refused(
    app: Flask, owner: MemberClient, path: str
) -> None:
    second = make_member(app, owner.merchant, Role.ADMIN)
    with app.app_context():
        users_suspension.suspend_user(second.user.email, reason="a test", operator=OPERATOR)
    assert _code(app, path, second.headers) == (401, "INVALID_TOKEN")
    clock.travel(timedelta(hours=2))
    assert _code(app, path, owner.headers) == (401, "INVALID_TOKEN")


def test_who_does_not_act_for_the_tenant_is_forbidden(app: Flask, owner: MemberClient, path: str) -> None:
    outsider, colleague = make_user(app), make_member(app, owner.merchant, Role.ADMIN)
    of_another = make_member(app, make_merchant(app), Role.OWNER)
    with app.app_context():
        member_changes.suspend_member(
            owner.merchant.tenant_id, colleague.user.email, reason="a test", actor=OPERATOR
        )
    for user in (outsider, colleague.user, of_another.user):
        headers = tenant_headers(owner.merchant) | user.headers
        assert _code(app, path, headers) == (403, "FORBIDDEN")


def test_a_suspended_tenant_is_no_valid_tenant(app: Flask, owner: MemberClient, path: str) -> None:
    with app.app_context():
        suspension.suspend_tenant(owner.merchant.tenant_id, reason="a test", operator=OPERATOR)
    assert _code(app, path, owner.headers) == (401, "INVALID_TENANT")

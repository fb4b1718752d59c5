"""Tokens end at once with what they depend on; revocation, introspection, guessing, and what is deleted later."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.models.member import Role
from app.principal import SYSTEM, Principal
from app.services.identity import suspension as user_suspension
from app.services.oauth import client_changes, clients, grants
from app.services.operator import retention
from app.services.tenants import member_changes, suspension
from tests.integration.oauth.conftest import probed
from tests.support.gateway import OPERATOR
from tests.support.oauth import REDIRECT_URI, OAuthApplication, Status, make_application, refusal
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

INVALID_GRANT = (400, "invalid_grant")


def _code_of(application: OAuthApplication, member: MemberClient) -> str:
    """A code of an application of another tenant's, to which the member consented."""
    user, tenant_id = member.user, member.merchant.tenant_id
    with application.app.app_context():
        client = clients.find(application.client_id)
        assert client is not None
        return grants.authorize(
            client,
            tenant_id=tenant_id,
            permissions=("payments:read",),
            redirect_uri=REDIRECT_URI,
            challenge=None,
            actor=Principal.of_member(tenant_id, user.user_id, uuid.uuid4(), None),
        )


End = Callable[[OAuthApplication, MemberClient], object]

ENDS: dict[str, End] = {
    "the client is disabled": lambda application, _: client_changes.disable_client(
        application.client_id, tenant_id=None, operator=SYSTEM
    ),
    "the client's tenant is suspended": lambda application, _: suspension.suspend_tenant(
        application.tenant_id, reason="a test", operator=OPERATOR
    ),
    "the tenant is suspended": lambda _, member: suspension.suspend_tenant(
        member.merchant.tenant_id, reason="a test", operator=OPERATOR
    ),
    "the member is removed": lambda _, member: member_changes.remove_member(
        member.merchant.tenant_id, member.user.user_id, actor=OPERATOR
    ),
    "the member is suspended": lambda _, member: member_changes.suspend_member(
        member.merchant.tenant_id, member.user.user_id, reason="a test", actor=OPERATOR
    ),
    "the member may not consent any more": lambda _, member: member_changes.set_role(
        member.merchant.tenant_id, member.user.user_id, Role.FINANCE, actor=OPERATOR
    ),
    "the user is suspended": lambda _, member: user_suspension.suspend_user(
        member.user.user_id, reason="a test", operator=OPERATOR
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_code_and_tokens_end_when(
    application: OAuthApplication, oauth_app: Flask, status: Status, tenant_of: Any, end: str
) -> None:
    shop = make_merchant(oauth_app)
    make_member(oauth_app, shop, Role.OWNER)
    member = make_member(oauth_app, shop, Role.ADMIN)
    code, tokens = _code_of(application, member), application.exchange(_code_of(application, member)).json
    assert tenant_of(tokens["access_token"]) == shop.tenant_id
    with oauth_app.app_context():
        ENDS[end](application, member)
    assert status(tokens["access_token"]) == 401
    refused = (401, "invalid_client") if "client" in end else INVALID_GRANT
    assert refusal(application.exchange(code)) == refused
    assert refusal(application.refresh(tokens["refresh_token"])) == refused


def test_a_revoked_access_token_ends_alone_and_a_refresh_token_with_its_family(
    application: OAuthApplication, status: Status
) -> None:
    tokens, other = application.tokens(), application.tokens()
    answer = application.post("revoke", token=tokens["access_token"])
    assert (answer.status_code, answer.json) == (200, {})
    assert (status(tokens["access_token"]), status(other["access_token"])) == (401, 200)
    second = application.refresh(tokens["refresh_token"]).json
    hint = {"token_type_hint": "access_token"}
    assert application.post("revoke", token=second["refresh_token"], **hint).status_code == 200
    assert status(second["access_token"]) == 401
    assert refusal(application.refresh(second["refresh_token"])) == INVALID_GRANT
    for token in (second["refresh_token"], "unknown"):
        assert application.post("revoke", token=token).status_code == 200
    assert refusal(application.post("revoke")) == (400, "invalid_request")


def test_a_client_sees_and_ends_its_own_tokens_only(
    oauth_app: Flask,
    merchant: MerchantClient,
    application: OAuthApplication,
    public_application: OAuthApplication,
    status: Status,
) -> None:
    other, tokens = make_application(oauth_app, merchant.tenant_id), application.tokens()
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert other.post("revoke", token=token).status_code == 200
        assert other.post("introspect", token=token).json == {"active": False}
        found = application.post("introspect", token=token).json
        assert found["active"] and found["client_id"] == application.client_id
        assert found["scope"] == "payments:read" and found["sub"] == str(merchant.tenant_id)
        assert found["exp"] > found["iat"]
    assert status(tokens["access_token"]) == 200
    without = OAuthApplication(oauth_app, merchant.tenant_id, application.client_id, None)
    for client in (without, public_application):
        refused = client.post("introspect", token=tokens["access_token"])
        assert refusal(refused) == (401, "invalid_client") and refused.headers["WWW-Authenticate"]
    assert refusal(without.post("revoke", token=tokens["access_token"])) == (401, "invalid_client")
    application.post("revoke", token=tokens["access_token"])
    assert application.post("introspect", token=tokens["access_token"]).json == {"active": False}


def test_guesses_of_secrets_codes_and_tokens_are_limited_by_address(settings: dict[str, str]) -> None:
    app = probed({**settings, "RATE_LIMIT_WRONG_KEYS": "4/minute"})
    application = make_application(app, make_merchant(app).tenant_id)
    access = application.tokens()["access_token"]
    address = {"REMOTE_ADDR": f"10.{secrets.randbelow(250)}.{secrets.randbelow(250)}.9"}

    def token_status(**body: str) -> int:
        body = {"grant_type": "authorization_code", "code": "x"} | application.credentials | body
        answer = app.test_client().post("/v1/oauth/token", json=body, environ_overrides=address)
        return int(answer.status_code)

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return int(
            app.test_client().get("/v1/probe/read", headers=headers, environ_overrides=address).status_code
        )

    assert status(access) == 200
    assert [token_status(client_secret="wrong"), token_status(code="authcode_x"), token_status()] == [
        401,
        400,
        400,
    ]
    assert status("tok_" + "A" * 43) == 401
    assert [token_status(), token_status(client_secret="wrong"), status("tok_" + "B" * 43)] == [429] * 3
    assert status(access) == 200  # it was right before


def test_expired_tokens_and_empty_grants_are_deleted(
    oauth_app: Flask, application: OAuthApplication, rows: Any
) -> None:
    tokens = application.tokens()

    def count() -> tuple[int, int]:
        ((number_of_tokens, number_of_grants),) = rows(
            "SELECT count(t.id), count(DISTINCT g.id) FROM oauth_grants g JOIN oauth_clients c ON c.id = g.client "
            "LEFT JOIN oauth_tokens t ON t.grant_id = g.id WHERE c.client_id = :client_id",
            client_id=application.client_id,
        )
        return number_of_tokens, number_of_grants

    def sweep() -> None:
        with oauth_app.app_context():
            retention.sweep()

    clock.travel(timedelta(days=1, seconds=3500))
    sweep()
    assert count() == (2, 1)
    clock.travel(timedelta(seconds=200))
    sweep()
    assert count() == (1, 1) and application.refresh(tokens["refresh_token"]).status_code == 200
    clock.travel(timedelta(days=32))
    sweep()
    assert count() == (0, 0)

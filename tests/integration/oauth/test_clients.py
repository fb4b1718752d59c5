"""A tenant's OAuth clients, over the Tenant API and by command."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from flask import Flask

from app.errors import PermissionMissing
from app.models.member import Role
from app.models.tenant import Permission
from app.principal import Principal
from app.services.oauth import client_changes
from app.services.oauth.client_changes import MAX_REDIRECT_URIS, Registration
from tests.support.concurrency import concurrently
from tests.support.demo import command, run_command
from tests.support.oauth import BY_CONSENT, REDIRECT_URI, OAuthApplication, Status, refusal
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

BODY = {"name": "Shop App", "redirect_uris": [REDIRECT_URI], "permissions": ["payments:read"]}


@pytest.fixture
def owner(oauth_app: Flask, merchant: MerchantClient) -> MemberClient:
    return make_member(oauth_app, merchant, Role.OWNER)


def _call(
    app: Flask, member: MemberClient, method: str, path: str = "", prefix: str = "/api/v1", **kw: Any
) -> Any:
    path = f"{prefix}/developers/oauth-clients{path}"
    return app.test_client().open(path, method=method, headers=member.headers, **kw)


def _made(app: Flask, owner: MemberClient, **body: Any) -> OAuthApplication:
    answer = _call(app, owner, "POST", json=BODY | body)
    assert answer.status_code == 201, answer.text
    return OAuthApplication(
        app, owner.merchant.tenant_id, answer.json["client_id"], answer.json["client_secret"]
    )


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_a_secret_is_shown_once_and_gets_tokens(
    oauth_app: Flask, owner: MemberClient, status: Status, prefix: str
) -> None:
    answer = _call(oauth_app, owner, "POST", prefix=prefix, json=BODY)
    made = answer.json
    secret = made.pop("client_secret")
    listed = _call(oauth_app, owner, "GET", prefix=prefix)
    assert secret not in listed.text and made.pop("message")
    assert listed.json == {"count": 1, "results": [made]}
    assert made["created_by"] == owner.user.public_id and made["grants"] == [
        "authorization_code",
        "refresh_token",
    ]
    application = OAuthApplication(oauth_app, owner.merchant.tenant_id, made["client_id"], secret)
    assert status(application.tokens()["access_token"]) == 200


def test_a_rotated_secret_is_refused_at_once_and_tokens_stay(
    oauth_app: Flask, owner: MemberClient, status: Status
) -> None:
    old = _made(oauth_app, owner)
    tokens = old.tokens()
    rotated = _call(oauth_app, owner, "POST", f"/{old.client_id}/rotate")
    new = OAuthApplication(oauth_app, old.tenant_id, old.client_id, rotated.json["client_secret"])
    assert rotated.status_code == 201 and new.secret != old.secret
    assert refusal(old.refresh(tokens["refresh_token"])) == (401, "invalid_client")
    assert new.refresh(tokens["refresh_token"]).status_code == 200 and status(tokens["access_token"]) == 200


def test_a_disabled_client_and_its_tokens_are_refused(
    oauth_app: Flask, owner: MemberClient, status: Status
) -> None:
    application = _made(oauth_app, owner)
    access = application.tokens()["access_token"]
    disabled = _call(oauth_app, owner, "DELETE", f"/{application.client_id}")
    assert disabled.status_code == 200 and disabled.json["disabled_at"]
    assert status(access) == 401 and refusal(application.authorize()) == (400, "invalid_client")
    for method, path in (("DELETE", ""), ("POST", "/rotate")):
        assert _call(oauth_app, owner, method, f"/{application.client_id}{path}").status_code == 404


def test_other_tenants_and_roles_reach_no_client(oauth_app: Flask, owner: MemberClient) -> None:
    application = _made(oauth_app, owner)
    other = make_member(oauth_app, make_merchant(oauth_app), Role.OWNER)
    assert _call(oauth_app, other, "GET").json["count"] == 0
    for method, path in (("DELETE", ""), ("POST", "/rotate")):
        assert _call(oauth_app, other, method, f"/{application.client_id}{path}").status_code == 404
    analyst = make_member(oauth_app, owner.merchant, Role.ANALYST)
    assert _call(oauth_app, analyst, "GET").json["count"] == 1
    cashier = make_member(oauth_app, owner.merchant, Role.CASHIER)
    assert _call(oauth_app, cashier, "GET").status_code == 403
    for method, path in (("POST", ""), ("DELETE", "/x"), ("POST", "/x/rotate")):
        assert _call(oauth_app, analyst, method, path, json=BODY if not path else None).status_code == 403
    assert application.authorize().status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uris": []},
        {"redirect_uris": ["http://shop.example/cb"]},
        {"redirect_uris": ["https://shop.example/cb#x"]},
        {"redirect_uris": ["https://user@shop.example/cb"]},
        {"redirect_uris": ["https://*.shop.example/cb"]},
        {"redirect_uris": ["https://shop.example/a b"]},
        {"redirect_uris": ["https://shop.example;evil/cb"]},
        {"redirect_uris": ["https:///cb"]},
        {"redirect_uris": ["https://shop.example:99999/cb"]},
        {"redirect_uris": ["https://[::1/cb"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["http://localhost.evil.example/cb"]},
        {"redirect_uris": [f"{REDIRECT_URI}{n}" for n in range(MAX_REDIRECT_URIS + 1)]},
        {"permissions": []},
        {"permissions": ["everything"]},
        {"grants": []},
        {"grants": ["password"]},
        {"grants": ["refresh_token"]},
        {"grants": ["client_credentials"], "is_public": True},
        {"grants": ["client_credentials"], "permissions": ["refunds:write"]},
        {"name": " "},
        {"is_public": "no"},
    ],
)
def test_what_cannot_be_registered_is_refused(
    oauth_app: Flask, owner: MemberClient, change: dict[str, Any]
) -> None:
    answer = _call(oauth_app, owner, "POST", json=BODY | change)
    assert answer.status_code == 400 and _call(oauth_app, owner, "GET").json["count"] == 0


def test_a_tenant_has_so_many_clients_however_many_are_made_at_once(
    oauth_app: Flask, owner: MemberClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_changes, "MAX_CLIENTS", 3)
    answers = concurrently(6, lambda _: _call(oauth_app, owner, "POST", json=BODY).status_code)
    assert sorted(answers) == [201] * 3 + [400] * 3


def test_no_one_registers_a_client_for_permissions_they_lack(
    oauth_app: Flask, merchant: MerchantClient
) -> None:
    restricted = Principal.of_api_key(
        merchant.tenant_id, uuid.uuid4(), None, frozenset({Permission.PAYMENTS_READ})
    )
    with oauth_app.app_context(), pytest.raises(PermissionMissing):
        client_changes.add_client(
            merchant.tenant_id,
            Registration("x", (REDIRECT_URI,), BY_CONSENT, (Permission.PAYMENTS_WRITE,)),
            is_public=False,
            operator=restricted,
        )


def test_operators_register_rotate_and_disable_by_command(
    oauth_app: Flask, merchant: MerchantClient, status: Status
) -> None:
    printed = run_command(
        oauth_app,
        *("oauth-clients", "add", str(merchant.tenant_id), "Reports", "--permission", "payments:read"),
        *("--redirect-uri", REDIRECT_URI),
    )
    client_id = re.findall(r"client_[0-9a-f]{24}", printed)[0]
    rotated = run_command(oauth_app, "oauth-clients", "rotate", client_id)
    secret = re.findall(r"secret_[A-Za-z0-9_-]{43}", rotated)[0]
    access = OAuthApplication(oauth_app, merchant.tenant_id, client_id, secret).tokens()["access_token"]
    assert status(access) == 200
    assert f"{client_id}  in use" in run_command(oauth_app, "oauth-clients", "list", str(merchant.tenant_id))
    assert "disabled" in run_command(oauth_app, "oauth-clients", "disable", client_id)
    assert status(access) == 401
    for words in (("disable", client_id), ("rotate", "unknown")):
        refused = command(oauth_app, "oauth-clients", *words)
        assert refused.exit_code == 1 and "no such application" in refused.output

"""Codes and tokens as document 003 has them, and what a token opens."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from app.models.tenant import Permission
from app.services.oauth.clients import GrantType
from tests.support.oauth import REDIRECT_URI, OAuthApplication, Status, basic, make_application, pkce, refusal
from tests.support.tenants import MerchantClient


def test_a_code_is_exchanged_for_tokens_that_open_what_was_granted(
    application: OAuthApplication, merchant: MerchantClient, status: Status, tenant_of: Any
) -> None:
    answer = application.authorize(state="x y&z", scope="payments:read")
    assert answer.json.keys() == {"authorization_code", "redirect_uri", "expires_in"}
    assert answer.json["expires_in"] == 600 and answer.headers["X-API-Version"]
    parts = urlsplit(answer.json["redirect_uri"])
    code = answer.json["authorization_code"]
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == REDIRECT_URI and code.startswith("authcode_")
    assert parse_qs(parts.query) == {"code": [code], "state": ["x y&z"]}
    got = application.exchange(code)
    assert got.status_code == 200 and got.headers["Cache-Control"] == "no-store"
    tokens = got.json
    assert tokens.pop("access_token").startswith("tok_") and tokens.pop("refresh_token").startswith("rtok_")
    assert tokens == {"token_type": "Bearer", "expires_in": 3600, "scope": "payments:read"}
    access = got.json["access_token"]
    assert (status(access), status(access, "write")) == (200, 403)
    assert tenant_of(access) == merchant.tenant_id


def test_without_a_scope_the_least_is_granted(application: OAuthApplication) -> None:
    assert application.tokens()["scope"] == "payments:read"
    assert application.tokens(scope="payments:write payments:read")["scope"] == "payments:write payments:read"


def test_the_secret_goes_in_a_form_a_json_body_or_http_basic(
    oauth_app: Flask, application: OAuthApplication
) -> None:
    client, grant = oauth_app.test_client(), {"grant_type": "authorization_code"}
    form = grant | application.credentials | {"code": application.code()}
    assert client.post("/v1/oauth/token", data=form).status_code == 200
    header = basic(application.client_id, application.secret or "")
    for body in (
        {"json": grant | {"code": application.code()}},
        {"data": grant | {"code": application.code()}},
    ):
        assert client.post("/v1/oauth/token", headers=header, **body).status_code == 200
    twice = client.post(
        "/v1/oauth/token", headers=header, json=grant | application.credentials | {"code": application.code()}
    )
    assert refusal(twice) == (400, "invalid_request")
    bearer = {"Authorization": "Bearer demo_key"}  # as a client that sends its API key with every request
    body = grant | application.credentials | {"code": application.code()}
    assert client.post("/v1/oauth/token", headers=bearer, json=body).status_code == 200


def test_a_refresh_token_is_exchanged_for_a_new_pair(application: OAuthApplication, status: Status) -> None:
    first = application.tokens(scope="payments:read payments:write")
    second = application.refresh(first["refresh_token"])
    assert second.status_code == 200 and second.json["refresh_token"] != first["refresh_token"]
    assert second.json["scope"] == "payments:read payments:write"
    third = application.refresh(second.json["refresh_token"])
    assert [status(one, "write") for one in (first["access_token"], third.json["access_token"])] == [200, 200]


def test_client_credentials_read_the_clients_own_tenant(
    oauth_app: Flask, merchant: MerchantClient, application: OAuthApplication, status: Status, tenant_of: Any
) -> None:
    service = make_application(
        oauth_app, merchant.tenant_id, grants=(GrantType.CLIENT_CREDENTIALS,), redirect_uris=()
    )
    for more in ({}, {"scope": "payments:read"}):
        answer = service.post("token", grant_type="client_credentials", **more)
        assert answer.status_code == 200
        assert "refresh_token" not in answer.json and answer.json["scope"] == "payments:read"
        assert tenant_of(answer.json["access_token"]) == merchant.tenant_id
        assert status(answer.json["access_token"], "write") == 403
    wider = service.post("token", grant_type="client_credentials", scope="payments:write")
    assert refusal(wider) == (400, "invalid_scope")
    assert refusal(application.post("token", grant_type="client_credentials")) == (400, "unauthorized_client")
    assert refusal(service.authorize(redirect_uri=REDIRECT_URI)) == (400, "invalid_request")


def test_a_public_client_gets_tokens_by_pkce(public_application: OAuthApplication, status: Status) -> None:
    verifier, challenge = pkce()
    code = public_application.code(code_challenge=challenge, code_challenge_method="S256")
    got = public_application.exchange(code, code_verifier=verifier)
    assert got.status_code == 200 and status(got.json["access_token"]) == 200
    assert public_application.refresh(got.json["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"client_id": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"client_id": "\x00"}, "invalid_request"),
        ({"client_id": "x" * 3000}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": 'tok"en\\'}, "unsupported_response_type"),
        ({"scope": "payments:read everything"}, "invalid_scope"),
        ({"scope": "refunds:write"}, "invalid_scope"),
    ],
)
def test_bad_authorization_requests_are_refused(
    application: OAuthApplication, query: dict[str, str], expected: str
) -> None:
    assert refusal(application.authorize(**query)) == (400, expected)


def test_unknown_parameters_are_ignored_and_known_ones_are_taken_once(
    oauth_app: Flask, application: OAuthApplication
) -> None:
    assert application.authorize(audience="x", prompt="consent").status_code == 200
    assert application.exchange(application.code(), audience="x").status_code == 200
    client = oauth_app.test_client()
    query = f"client_id={application.client_id}&redirect_uri={REDIRECT_URI}&response_type=code"
    assert refusal(client.get(f"/v1/oauth/authorize?{query}&client_id=x")) == (400, "invalid_request")
    form = f"grant_type=refresh_token&client_id=x&client_id={application.client_id}"
    kind = "application/x-www-form-urlencoded"
    assert refusal(client.post("/v1/oauth/token", data=form, content_type=kind)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid_request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"grant_type": "authorization_code"}, (400, "invalid_request")),
        ({"grant_type": "authorization_code", "code": "authcode_x"}, (400, "invalid_grant")),
        ({"grant_type": "authorization_code", "code": 7}, (400, "invalid_request")),
        ({"grant_type": "refresh_token"}, (400, "invalid_request")),
        ({"grant_type": "refresh_token", "refresh_token": "rtok_x"}, (400, "invalid_grant")),
        (
            {"grant_type": "authorization_code", "code": "x", "client_secret": "wrong"},
            (401, "invalid_client"),
        ),
        ({"grant_type": "authorization_code", "code": "x", "client_id": "unknown"}, (401, "invalid_client")),
    ],
)
def test_bad_token_requests_are_refused(
    application: OAuthApplication, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = application.post("token", **body)
    assert refusal(answer) == expected
    assert (answer.headers.get("WWW-Authenticate") or "").startswith("Basic") == (expected[0] == 401)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"", "application/json"),
        (b"\xff=1", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 60, "application/x-www-form-urlencoded"),
    ],
)
def test_unreadable_bodies_are_refused(oauth_app: Flask, data: bytes, kind: str) -> None:
    answer = oauth_app.test_client().post("/v1/oauth/token", data=data, content_type=kind)
    assert refusal(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    "header", ["Basic", "Basic %%%", "Basic /w==", "Basic eDp5", "Bearer x", "Basic eA==", "Basic JTAwOng="]
)
def test_a_bad_authorization_header_is_no_client(oauth_app: Flask, header: str) -> None:
    answer = oauth_app.test_client().post(
        "/v1/oauth/token", json={"grant_type": "refresh_token"}, headers={"Authorization": header}
    )
    assert refusal(answer) == (401, "invalid_client")


def test_the_demos_applications_are_those_of_the_contract() -> None:
    from app.services.demo.objects import OAUTH_CLIENTS

    found = {one.client_id: (one.secret, one.grants) for one in OAUTH_CLIENTS}
    assert found["my_app"][0] == found["my_service"][0] == "my_secret" and found["test_client"][0] is None
    assert found["my_service"][1] == ("client_credentials",)
    assert {permission for one in OAUTH_CLIENTS for permission in one.permissions} <= set(Permission)


def test_the_metadata_names_routes_that_exist(oauth_app: Flask) -> None:
    found = oauth_app.test_client().get("/.well-known/oauth-authorization-server").json
    assert found["issuer"] == oauth_app.config["PUBLIC_URL"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    rules = {rule.rule for rule in oauth_app.url_map.iter_rules()}
    for name in ("authorization", "token", "revocation", "introspection"):
        assert found[f"{name}_endpoint"].removeprefix(found["issuer"]) in rules

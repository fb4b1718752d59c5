"""What is tried on an authorization server: none of it gets a token, or keeps one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.models.tenant import Permission
from tests.support.concurrency import concurrently
from tests.support.oauth import REDIRECT_URI, OAuthApplication, Status, make_application, pkce, refusal
from tests.support.tenants import MerchantClient

INVALID_GRANT = (400, "invalid_grant")
INVALID_REQUEST = (400, "invalid_request")


@pytest.fixture
def other_application(oauth_app: Flask, merchant: MerchantClient) -> OAuthApplication:
    """Of the same tenant, for the same permissions."""
    return make_application(oauth_app, merchant.tenant_id)


@pytest.mark.parametrize(
    "uri",
    [
        f"{REDIRECT_URI}/",
        f"{REDIRECT_URI}/../evil",
        f"{REDIRECT_URI}?next=evil",
        f"{REDIRECT_URI}#evil",
        f"{REDIRECT_URI}2",
        REDIRECT_URI.upper(),
        REDIRECT_URI[:-1],
        REDIRECT_URI.replace("https", "http"),
        "https://shop.example.evil.example/callback",
        "https://shop.example@evil.example/callback",
        "https://evil.example/callback",
        "https://shop.example:443/callback",
        "https://shop.example/%63allback",
        "https://sh\N{CYRILLIC SMALL LETTER O}p.example/callback",
        "//shop.example/callback",
        "javascript:alert(1)",
        'https://shop.example/callback"\\',
        f" {REDIRECT_URI}",
        f"{REDIRECT_URI}\r\nX: y",
        "http://localhost:8001/cb",
        "http://127.0.0.1:8000/cb",
    ],
)
def test_a_redirect_uri_is_one_of_the_registered_ones_as_it_is_spelt(
    oauth_app: Flask, merchant: MerchantClient, uri: str
) -> None:
    uris = (REDIRECT_URI, "http://localhost:8000/cb")
    client = make_application(oauth_app, merchant.tenant_id, redirect_uris=uris)
    assert client.authorize(redirect_uri=uris[1]).status_code == 200
    answer = client.authorize(redirect_uri=uri)
    assert refusal(answer) == INVALID_REQUEST and "Location" not in answer.headers


def test_a_code_is_for_the_redirect_uri_it_was_issued_for(oauth_app: Flask, merchant: MerchantClient) -> None:
    uris = (REDIRECT_URI, "https://shop.example/other")
    client = make_application(oauth_app, merchant.tenant_id, redirect_uris=uris)
    assert refusal(client.exchange(client.code(), redirect_uri=uris[1])) == INVALID_GRANT
    assert client.exchange(client.code(), redirect_uri=REDIRECT_URI).status_code == 200


def test_public_clients_need_pkce_and_plain_is_no_pkce(
    application: OAuthApplication, public_application: OAuthApplication
) -> None:
    _, challenge = pkce()
    assert refusal(public_application.authorize()) == INVALID_REQUEST
    for client in (application, public_application):
        for query in (
            {"code_challenge": challenge},
            {"code_challenge": challenge, "code_challenge_method": "plain"},
            {"code_challenge": challenge, "code_challenge_method": "s256"},
            {"code_challenge": "short", "code_challenge_method": "S256"},
            {"code_challenge_method": "S256"},
        ):
            assert refusal(client.authorize(**query)) == INVALID_REQUEST, query


@pytest.mark.parametrize("kind", ["application", "public_application"])
def test_a_code_with_a_challenge_needs_its_verifier(kind: str, request: pytest.FixtureRequest) -> None:
    client: OAuthApplication = request.getfixturevalue(kind)
    verifier, challenge = pkce()
    code = client.code(code_challenge=challenge, code_challenge_method="S256")
    assert refusal(client.exchange(code)) == INVALID_REQUEST
    assert refusal(client.exchange(code, code_verifier=challenge)) == INVALID_GRANT
    assert refusal(client.exchange(code, code_verifier=pkce()[0])) == INVALID_GRANT
    assert refusal(client.exchange(code, code_verifier="x")) == INVALID_REQUEST
    assert client.exchange(code, code_verifier=verifier).status_code == 200


def test_a_verifier_does_not_go_with_a_code_without_a_challenge(application: OAuthApplication) -> None:
    """An attacker removed the challenge from the authorization request (RFC 9700, 4.8.2)."""
    assert refusal(application.exchange(application.code(), code_verifier=pkce()[0])) == INVALID_REQUEST


def test_a_code_that_is_used_again_ends_its_tokens(application: OAuthApplication, status: Status) -> None:
    code, other = application.code(), application.tokens()
    tokens = application.exchange(code).json
    again = application.exchange(code)
    assert refusal(again) == INVALID_GRANT and "already been used" in again.json["error"]["message"]
    assert status(tokens["access_token"]) == 401
    assert refusal(application.refresh(tokens["refresh_token"])) == INVALID_GRANT
    assert status(other["access_token"]) == 200


def test_a_used_code_ends_its_tokens_even_when_it_has_expired_or_its_verifier_is_not_known(
    application: OAuthApplication, status: Status
) -> None:
    verifier, challenge = pkce()
    code = application.code(code_challenge=challenge, code_challenge_method="S256")
    tokens = application.exchange(code, code_verifier=verifier).json
    clock.travel(timedelta(seconds=601))
    assert refusal(application.exchange(code)) == INVALID_GRANT
    assert status(tokens["access_token"]) == 401


def test_of_twenty_uses_of_a_code_at_once_one_gets_tokens(
    application: OAuthApplication, status: Status, rows: Any
) -> None:
    code = application.code()
    answers = concurrently(20, lambda _: application.exchange(code))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    (tokens,) = [answer.json for answer in answers if answer.status_code == 200]
    assert status(tokens["access_token"]) == 401  # it was used again
    count = (
        "SELECT count(*) FROM oauth_tokens t JOIN oauth_grants g ON g.id = t.grant_id "
        "JOIN oauth_clients c ON c.id = g.client WHERE c.client_id = :client_id"
    )
    assert rows(count, client_id=application.client_id) == [(2,)]


def test_codes_are_their_clients_and_expire(
    application: OAuthApplication, other_application: OAuthApplication
) -> None:
    code = application.code()
    assert refusal(other_application.exchange(code)) == INVALID_GRANT
    assert application.exchange(code).status_code == 200
    code = application.code()
    clock.travel(timedelta(seconds=601))
    assert refusal(application.exchange(code)) == INVALID_GRANT


def test_a_refresh_token_that_is_used_again_ends_its_family(
    application: OAuthApplication, status: Status
) -> None:
    first = application.tokens()
    second = application.refresh(first["refresh_token"]).json
    again = application.refresh(first["refresh_token"])
    assert refusal(again) == INVALID_GRANT and "already been used" in again.json["error"]["message"]
    assert (status(first["access_token"]), status(second["access_token"])) == (401, 401)
    assert refusal(application.refresh(second["refresh_token"])) == INVALID_GRANT


def test_of_twenty_uses_of_a_refresh_token_at_once_one_gets_tokens(
    application: OAuthApplication, status: Status
) -> None:
    old = application.tokens()["refresh_token"]
    answers = concurrently(20, lambda _: application.refresh(old))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    (tokens,) = [answer.json for answer in answers if answer.status_code == 200]
    assert status(tokens["access_token"]) == 401


def test_refresh_tokens_are_their_clients_and_expire(
    application: OAuthApplication, other_application: OAuthApplication
) -> None:
    token = application.tokens()["refresh_token"]
    assert refusal(other_application.refresh(token)) == INVALID_GRANT
    assert refusal(application.exchange(token)) == INVALID_GRANT
    clock.travel(timedelta(days=29))
    token = application.refresh(token).json["refresh_token"]
    clock.travel(timedelta(days=30, seconds=1))
    assert refusal(application.refresh(token)) == INVALID_GRANT


def test_a_grant_ends_after_a_year_however_often_it_is_refreshed(application: OAuthApplication) -> None:
    token = application.tokens()["refresh_token"]
    for _ in range(13):
        clock.travel(timedelta(days=28))
        token = application.refresh(token).json["refresh_token"]
    clock.travel(timedelta(days=2))
    assert refusal(application.refresh(token)) == INVALID_GRANT


def test_an_access_token_lives_an_hour_and_refreshes_nothing(
    application: OAuthApplication, status: Status
) -> None:
    tokens = application.tokens()
    assert refusal(application.refresh(tokens["access_token"])) == INVALID_GRANT
    assert status(tokens["refresh_token"]) == 401
    clock.travel(timedelta(seconds=3601))
    assert status(tokens["access_token"]) == 401


def test_refreshing_narrows_and_never_widens(application: OAuthApplication, status: Status) -> None:
    narrow = application.tokens(scope="payments:read")
    for wider in ("payments:read payments:write", "payments:write", "everything"):
        assert refusal(application.refresh(narrow["refresh_token"], scope=wider)) == (400, "invalid_scope")
    wide = application.tokens(scope="payments:read payments:write")
    less = application.refresh(wide["refresh_token"], scope="payments:read").json
    assert less["scope"] == "payments:read"
    assert (status(less["access_token"]), status(less["access_token"], "write")) == (200, 403)
    refused = application.refresh(less["refresh_token"], scope="refunds:write")
    assert refusal(refused) == (400, "invalid_scope")
    # The refresh token keeps what was consented to (RFC 6749, 6).
    assert application.refresh(less["refresh_token"]).json["scope"] == "payments:read payments:write"


def test_more_than_the_client_may_have_is_refused(oauth_app: Flask, merchant: MerchantClient) -> None:
    client = make_application(oauth_app, merchant.tenant_id, Permission.PAYMENTS_WRITE)
    assert refusal(client.authorize()) == (400, "invalid_scope")  # the default is payments:read
    assert refusal(client.authorize(scope="payments:write api:admin")) == (400, "invalid_scope")
    assert client.authorize(scope="payments:write").status_code == 200


def test_confidential_clients_do_not_pass_without_their_secret(
    application: OAuthApplication, public_application: OAuthApplication
) -> None:
    without = OAuthApplication(application.app, application.tenant_id, application.client_id, None)
    assert refusal(without.exchange(application.code())) == (401, "invalid_client")
    assert refusal(without.refresh(application.tokens()["refresh_token"])) == (401, "invalid_client")
    pretending = OAuthApplication(application.app, application.tenant_id, public_application.client_id, "x")
    assert refusal(pretending.exchange("authcode_x")) == (401, "invalid_client")


def test_only_hashes_are_stored_and_the_audit_trail_names_no_secret(
    application: OAuthApplication, rows: Any
) -> None:
    code = application.code()
    tokens = application.exchange(code).json
    application.exchange(code)
    stored = rows(
        "SELECT to_jsonb(o)::text FROM oauth_clients o UNION ALL SELECT to_jsonb(o)::text FROM oauth_grants o "
        "UNION ALL SELECT to_jsonb(o)::text FROM oauth_tokens o UNION ALL SELECT to_jsonb(o)::text FROM outbox o"
    )
    for secret in (code, tokens["access_token"], tokens["refresh_token"], application.secret or ""):
        plain = secret.split("_", 1)[1]
        assert not [row for (row,) in stored if plain in row or plain.encode().hex() in row]
    found = rows(
        "SELECT type, is_public, data->>'reason' FROM outbox WHERE tenant_id = :tenant AND type LIKE 'oauth%' ORDER BY id",
        tenant=application.tenant_id,
    )
    assert found == [
        ("oauth_client.created", False, None),
        ("oauth_grant.created", False, None),
        ("oauth_grant.revoked", False, "code_reused"),
    ]

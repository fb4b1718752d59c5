"""In production a member consents on a page: what it shows, what it refuses, and that nothing else can consent for them."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from app import clock
from app.models.member import Role
from app.models.tenant import Permission
from app.web.consent import SENTENCES
from tests.integration.oauth.conftest import probed
from tests.support.factories import PASSWORD
from tests.support.oauth import REDIRECT_URI, OAuthApplication, make_application, refusal
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
INPUT = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')


@pytest.fixture(scope="module")
def production(settings: dict[str, str]) -> Flask:
    more = {"GATEWAY_ENV": "production", "REALTIME": "external", "RATE_LIMIT_AUTH": "1000/minute"}
    return probed({**settings, **more})


@pytest.fixture
def shop(production: Flask) -> MerchantClient:
    return make_merchant(production)


@pytest.fixture
def owner(production: Flask, shop: MerchantClient) -> MemberClient:
    return make_member(production, shop, Role.OWNER)


@pytest.fixture
def third_party(production: Flask) -> OAuthApplication:
    """Of another tenant's."""
    return make_application(production, make_merchant(production).tenant_id)


def _hidden(page: Any) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in INPUT.findall(page.text)}


def _opened(application: OAuthApplication, **query: str) -> dict[str, str]:
    """The hidden fields of the sign-in form."""
    answer = application.authorize(**query)
    assert answer.status_code == 302 and answer.headers["Location"].startswith("/oauth/consent?")
    page = application.app.test_client().get(answer.headers["Location"])
    assert page.status_code == 200 and "Shop App" in page.text and "shop.example" in page.text
    return _hidden(page)


def _post(app: Flask, path: str, form: dict[str, str], headers: dict[str, str] = OWN_PAGE) -> Any:
    return app.test_client().post(f"/oauth/consent/{path}", data=form, headers=headers)


def _sign_in(application: OAuthApplication, member: MemberClient, fields: dict[str, str], **more: Any) -> Any:
    form = fields | {"email": member.user.email, "password": PASSWORD}
    return _post(application.app, "sign-in", form, **more)


def _signed_in(application: OAuthApplication, member: MemberClient, **query: str) -> dict[str, str]:
    """The hidden fields of the decision's form, with the ticket."""
    page = _sign_in(application, member, _opened(application, **query))
    assert page.status_code == 200, page.text
    return _hidden(page)


def _decide(
    application: OAuthApplication, fields: dict[str, str], tenant: MerchantClient, **more: Any
) -> Any:
    form = fields | {"tenant": str(tenant.tenant_id), "decision": "allow"} | more.pop("form", {})
    return _post(application.app, "decision", form, **more)


def _answer(response: Any) -> dict[str, list[str]]:
    """The query of the redirect to the application."""
    assert response.status_code == 303, response.text
    assert response.headers["Location"].startswith(f"{REDIRECT_URI}?")
    return parse_qs(urlsplit(response.headers["Location"]).query)


def test_a_member_allows_an_application_to_act_for_the_tenant_they_choose(
    production: Flask, third_party: OAuthApplication, owner: MemberClient, shop: MerchantClient, rows: Any
) -> None:
    fields = _signed_in(third_party, owner, state='a "b" <c>', scope="payments:read payments:write")
    answer = _answer(_decide(third_party, fields, shop))
    assert answer.keys() == {"code", "state"} and answer["state"] == ['a "b" <c>']
    tokens = third_party.exchange(answer["code"][0]).json
    assert tokens["scope"] == "payments:read payments:write"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert production.test_client().get("/v1/probe/write", headers=headers).json["tenant"] == str(
        shop.tenant_id
    )
    found = rows(
        "SELECT actor FROM outbox WHERE tenant_id = :tenant AND type = 'oauth_grant.created'",
        tenant=shop.tenant_id,
    )
    assert found == [(owner.user.public_id,)]


def test_a_tenant_sees_what_was_granted_and_ends_it(
    production: Flask, third_party: OAuthApplication, owner: MemberClient, shop: MerchantClient
) -> None:
    code = _answer(_decide(third_party, _signed_in(third_party, owner), shop))["code"][0]
    tokens, client = third_party.exchange(code).json, production.test_client()
    path, bearer = "/v1/developers/oauth-grants", {"Authorization": f"Bearer {tokens['access_token']}"}
    analyst = make_member(production, shop, Role.ANALYST)
    (found,) = client.get(path, headers=analyst.headers).json["results"]
    assert found["client_id"] == third_party.client_id and found["permissions"] == ["payments:read"]
    assert found["granted_by"] == owner.user.public_id
    other = make_member(production, make_merchant(production), Role.OWNER)
    assert client.get(path, headers=other.headers).json["count"] == 0
    assert client.delete(f"{path}/{found['id']}", headers=other.headers).status_code == 404
    assert client.delete(f"{path}/{found['id']}", headers=analyst.headers).status_code == 403
    assert client.get("/v1/probe/read", headers=bearer).status_code == 200
    assert client.delete(f"{path}/{found['id']}", headers=owner.headers).status_code == 200
    assert client.get("/v1/probe/read", headers=bearer).status_code == 401
    assert refusal(third_party.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert client.get(path, headers=owner.headers).json["count"] == 0
    assert client.delete(f"{path}/{found['id']}", headers=owner.headers).status_code == 404


def test_denying_goes_back_with_an_error_and_ends_the_ticket(
    third_party: OAuthApplication, owner: MemberClient, shop: MerchantClient
) -> None:
    fields = _signed_in(third_party, owner, state="s")
    denied = _answer(_decide(third_party, fields, shop, form={"decision": "deny"}))
    assert denied == {"error": ["access_denied"], "state": ["s"]}
    again = _decide(third_party, fields, shop)
    assert again.status_code == 401 and "Location" not in again.headers


def test_a_ticket_is_for_one_decision_about_what_was_shown(
    third_party: OAuthApplication, owner: MemberClient, shop: MerchantClient, production: Flask
) -> None:
    fields = _signed_in(third_party, owner)
    other = make_application(production, shop.tenant_id)
    for change in (
        {"scope": "payments:write"},
        {"state": "x"},
        {"client_id": other.client_id},
        {"ticket": "x"},
    ):
        assert _decide(third_party, fields | change, shop).status_code == 401, change
    without = {name: value for name, value in fields.items() if name != "ticket"}
    assert _decide(third_party, without, shop).status_code == 401
    assert "code" in _answer(_decide(third_party, fields, shop))
    assert _decide(third_party, fields, shop).status_code == 401
    late = _signed_in(third_party, owner)
    clock.travel(timedelta(seconds=601))
    assert _decide(third_party, late, shop).status_code == 401


def test_only_members_who_may_consent_choose_their_own_tenants(
    production: Flask, third_party: OAuthApplication, owner: MemberClient, shop: MerchantClient
) -> None:
    analyst, other = make_member(production, shop, Role.ANALYST), make_merchant(production)
    refused = _sign_in(third_party, analyst, _opened(third_party))
    assert refused.status_code == 403 and "ticket" not in _hidden(refused)
    page = _sign_in(third_party, owner, _opened(third_party))
    assert f'value="{shop.tenant_id}"' in page.text and f'value="{other.tenant_id}"' not in page.text
    fields = _hidden(page)
    for tenant in (str(other.tenant_id), "x", ""):
        answer = _decide(third_party, fields, shop, form={"tenant": tenant})
        assert answer.status_code == 403 and "Location" not in answer.headers, tenant


def test_forms_of_other_sites_are_refused(
    production: Flask, third_party: OAuthApplication, owner: MemberClient, shop: MerchantClient
) -> None:
    fields = _signed_in(third_party, owner)
    others = ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}, {})
    for headers in (*others, {"Origin": "https://evil.example"}):
        assert _decide(third_party, fields, shop, headers=headers).status_code == 400, headers
        assert _sign_in(third_party, owner, fields, headers=headers).status_code == 400, headers
    assert "code" in _answer(_decide(third_party, fields, shop, headers={"Origin": "http://localhost"}))


def test_the_page_is_framed_nowhere_runs_nothing_and_keeps_nothing(third_party: OAuthApplication) -> None:
    location = third_party.authorize(state="<script>alert(1)</script>").headers["Location"]
    page = third_party.app.test_client().get(location)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script" not in policy
    assert "form-action 'self' https://shop.example;" in policy
    assert page.headers["X-Frame-Options"] == "DENY" and page.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in page.headers and "<script" not in page.text


def test_wrong_passwords_get_no_ticket(third_party: OAuthApplication, owner: MemberClient) -> None:
    fields = _opened(third_party)
    for sent in ({"email": owner.user.email, "password": "wrong"}, {"email": owner.user.email}, {}):
        form = fields | sent
        page = _post(third_party.app, "sign-in", form)
        assert page.status_code == 401 and "ticket" not in _hidden(page) and "wrong" in page.text


def test_what_cannot_be_trusted_stays_here_and_other_errors_go_back(third_party: OAuthApplication) -> None:
    evil: dict[str, str | None] = {"redirect_uri": "https://evil.example"}
    bad: list[dict[str, str | None]] = [{"response_type": "token"}, {"scope": "everything"}, {}]
    for query in (*(evil | more for more in bad), {"client_id": "x"}, {"redirect_uri": None}):
        answer = third_party.authorize(**query)
        assert answer.status_code == 400 and "Location" not in answer.headers and refusal(answer)
    sent = {
        "client_id": third_party.client_id,
        "redirect_uri": "https://evil.example",
        "response_type": "code",
    }
    page = third_party.app.test_client().get("/oauth/consent", query_string=sent)
    assert page.status_code == 400 and page.mimetype == "text/html" and "Location" not in page.headers
    answer = third_party.authorize(scope="everything", state="s")
    assert answer.status_code == 302 and answer.headers["Location"].startswith(f"{REDIRECT_URI}?")
    assert parse_qs(urlsplit(answer.headers["Location"]).query) == {
        "error": ["invalid_scope"],
        "state": ["s"],
    }


def test_each_permission_has_a_sentence_for_the_user() -> None:
    assert SENTENCES.keys() == set(Permission)

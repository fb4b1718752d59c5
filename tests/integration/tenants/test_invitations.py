"""Invitations: accepted once, in time, and only by whom the invited address belongs to."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.models.member import Role
from app.services.identity import email_confirmation
from app.services.tenants import invitations, suspension
from tests.support.concurrency import concurrently
from tests.support.factories import SignedInUser, make_user
from tests.support.gateway import OPERATOR
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

NOT_YOURS = {"error": "This is not an invitation of yours, or it was used or has expired."}


@pytest.fixture
def email() -> str:
    return f"guest-{secrets.token_hex(6)}@example.com"


def _invite(app: Flask, by: MemberClient, email: str, role: str = "finance", *, prefix: str = "/v1") -> Any:
    body = {"email": email, "role": role}
    return app.test_client().post(f"{prefix}/invitations", headers=by.headers, json=body)


def _accept(app: Flask, user: SignedInUser, token: str, *, prefix: str = "/v1") -> Any:
    return app.test_client().post(f"{prefix}/invitations/accept", headers=user.headers, json={"token": token})


def _open(app: Flask, by: MemberClient) -> list[dict[str, Any]]:
    listed = app.test_client().get("/api/v1/invitations", headers=by.headers).get_json()
    assert listed["count"] == len(listed["results"])
    found: list[dict[str, Any]] = listed["results"]
    return found


def _may_list_members(app: Flask, merchant: MerchantClient, user: SignedInUser) -> int:
    headers = MemberClient(merchant, user).headers
    return int(app.test_client().get("/v1/members", headers=headers).status_code)


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_who_is_invited_becomes_a_member(
    app: Flask, owner: MemberClient, email: str, prefix: str, rows: Callable[..., list[Any]]
) -> None:
    made = _invite(app, owner, email.upper(), "admin", prefix=prefix)
    assert made.status_code == 201
    facts = {name: value for name, value in made.get_json().items() if name not in ("token", "message")}
    assert facts["email"] == email and facts["invited_by"] == owner.user.public_id
    assert _open(app, owner) == [facts]
    user, token = make_user(app, email=email), made.get_json()["token"]
    assert _may_list_members(app, owner.merchant, user) == 403
    joined = _accept(app, user, token, prefix=prefix)
    assert joined.status_code == 200 and joined.get_json()["tenant"]["role"] == "admin"
    assert joined.get_json()["tenant"]["id"] == str(owner.merchant.tenant_id)
    assert _may_list_members(app, owner.merchant, user) == 200 and _open(app, owner) == []
    again = _accept(app, user, token)
    assert (again.status_code, again.get_json()) == (400, NOT_YOURS)
    found = rows(
        "SELECT type, object_id, actor, data::text AS data FROM outbox WHERE tenant_id = :id AND type LIKE 'member.%' "
        "UNION ALL SELECT type, object_id, actor, data::text FROM events WHERE tenant_id = :id AND type LIKE 'member.%'",
        id=owner.merchant.tenant_id,
    )
    assert {(row.type, row.object_id, row.actor) for row in found} == {
        ("member.invited", facts["id"], owner.user.public_id),
        ("member.joined", user.public_id, user.public_id),
    }
    assert not any(token in row.data or email in row.data for row in found)


def test_a_token_works_once_however_many_use_it(app: Flask, owner: MemberClient, email: str) -> None:
    token, user = _invite(app, owner, email).get_json()["token"], make_user(app, email=email)
    answers = concurrently(4, lambda _: _accept(app, user, token))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


def test_nobody_else_accepts_it(app: Flask, owner: MemberClient, email: str) -> None:
    token = _invite(app, owner, email).get_json()["token"]
    other = make_user(app)
    for wrong in (token, token[:-1], "x"):
        refused = _accept(app, other, wrong)
        assert (refused.status_code, refused.get_json()) == (400, NOT_YOURS)
    assert _accept(app, other, "x" * 65).status_code == 400
    anonymous = app.test_client().post("/v1/invitations/accept", json={"token": token})
    assert (anonymous.status_code, anonymous.get_json()["error"]["code"]) == (401, "MISSING_CREDENTIALS")
    assert _accept(app, make_user(app, email=email), token).status_code == 200


def test_an_address_must_be_confirmed(app: Flask, owner: MemberClient, email: str) -> None:
    """Otherwise whoever registers another person's address has their invitation."""
    token = _invite(app, owner, email).get_json()["token"]
    user = make_user(app, email=email, is_confirmed=False)
    refused = _accept(app, user, token)
    assert refused.status_code == 400 and "Confirm your e-mail address" in refused.get_json()["error"]
    with app.app_context():
        email_confirmation.confirm_by_operator(email, operator=OPERATOR)
    assert _accept(app, user, token).status_code == 200


def test_an_invitation_ends_after_72_hours_and_can_be_made_again(
    app: Flask, owner: MemberClient, email: str
) -> None:
    first, second = (_invite(app, owner, f"{n}{email}").get_json()["token"] for n in (1, 2))
    clock.travel(timedelta(hours=71, minutes=59))
    assert _accept(app, make_user(app, email=f"1{email}"), first).status_code == 200
    clock.travel(timedelta(minutes=1))
    user = make_user(app, email=f"2{email}")
    assert _accept(app, user, second).get_json() == NOT_YOURS
    later = make_member(app, owner.merchant, Role.OWNER)
    assert _open(app, later) == []
    assert _accept(app, user, _invite(app, later, f"2{email}").get_json()["token"]).status_code == 200


def test_an_address_has_one_open_invitation_which_can_be_revoked(
    app: Flask, owner: MemberClient, email: str
) -> None:
    made = _invite(app, owner, email).get_json()
    refused = _invite(app, owner, email, "cashier")
    assert refused.status_code == 400 and "open invitation" in refused.get_json()["error"]
    path = f"/v1/invitations/{made['id']}"
    foreign = make_member(app, make_merchant(app), Role.OWNER)
    assert app.test_client().delete(path, headers=foreign.headers).get_json() == {"detail": "Not found."}
    assert app.test_client().delete(path, headers=owner.headers).status_code == 200
    assert app.test_client().delete(path, headers=owner.headers).status_code == 404
    assert _accept(app, make_user(app, email=email), made["token"]).get_json() == NOT_YOURS
    assert _invite(app, owner, email).status_code == 201
    assert _invite(app, foreign, email).status_code == 201


def test_nobody_invites_into_a_role_that_may_do_more(app: Flask, owner: MemberClient, email: str) -> None:
    admin = make_member(app, owner.merchant, Role.ADMIN)
    for role in ("owner", "finance_admin"):
        refused = _invite(app, admin, email, role)
        assert (refused.status_code, refused.get_json()) == (
            403,
            {"detail": "Missing required scope: finance:withdraw:approve"},
        )
    made = _invite(app, owner, email, "owner").get_json()
    refused = app.test_client().delete(f"/v1/invitations/{made['id']}", headers=admin.headers)
    assert refused.status_code == 403
    assert len(_open(app, owner)) == 1


@pytest.mark.parametrize("end", ["remove", "suspend", "demote"])
def test_with_a_member_end_their_invitations(app: Flask, owner: MemberClient, email: str, end: str) -> None:
    """Otherwise who is about to be removed comes back by an invitation of their own."""
    admin = make_member(app, owner.merchant, Role.ADMIN)
    token = _invite(app, admin, email, "admin").get_json()["token"]
    client, path = app.test_client(), f"/v1/members/{admin.user.public_id}"
    if end == "remove":
        assert client.delete(path, headers=owner.headers).status_code == 200
    elif end == "suspend":
        answer = client.post(f"{path}/suspend", headers=owner.headers, json={"reason": "a test"})
        assert answer.status_code == 200
    else:
        assert client.put(path, headers=owner.headers, json={"role": "finance"}).status_code == 200
    assert _accept(app, make_user(app, email=email), token).get_json() == NOT_YOURS


def test_members_and_bad_addresses_are_not_invited(
    app: Flask, owner: MemberClient, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = _invite(app, owner, owner.user.email)
    assert known.get_json() == {"error": "This user is a member already."}
    for bad in ("nobody", "a@b", "", None, ["a@example.com"]):
        assert _invite(app, owner, bad).status_code == 400
    assert _invite(app, owner, email, "god").status_code == 400
    monkeypatch.setattr(invitations, "MAX_OPEN", 0)
    assert _invite(app, owner, email).get_json() == {"error": "A tenant has at most 0 open invitations."}
    assert _open(app, owner) == []


def test_a_suspended_tenant_takes_no_members(app: Flask, owner: MemberClient, email: str) -> None:
    token, user = _invite(app, owner, email).get_json()["token"], make_user(app, email=email)
    with app.app_context():
        suspension.suspend_tenant(owner.merchant.tenant_id, reason="a test", operator=OPERATOR)
    assert _accept(app, user, token).get_json() == NOT_YOURS
    with app.app_context():
        suspension.reactivate_tenant(owner.merchant.tenant_id, reason="a test", operator=OPERATOR)
    assert _accept(app, user, token).status_code == 200

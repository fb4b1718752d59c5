"""Members over HTTP: no member goes beyond their own scopes, a tenant keeps an Owner, and a change counts at once everywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Flask

from app.errors import GatewayError
from app.models.member import Role
from app.principal import Principal
from app.services.identity import suspension
from app.services.tenants import member_changes
from tests.support.concurrency import concurrently
from tests.support.factories import make_user
from tests.support.gateway import OPERATOR
from tests.support.tenants import MemberClient, make_member, make_merchant

Rows = Callable[..., list[Any]]

APPROVE = {"detail": "Missing required scope: finance:withdraw:approve"}
NEEDS_OWNER = {"error": "A tenant needs an active Owner: make another member one first."}


def _call(app: Flask, by: MemberClient, method: str, path: str, **body: Any) -> Any:
    kwargs = {"json": body} if body else {}
    return app.test_client().open(f"/v1/members{path}", method=method, headers=by.headers, **kwargs)


def _changes(target: MemberClient) -> list[tuple[str, str, dict[str, str]]]:
    """Every way to change a member."""
    path = f"/{target.user.public_id}"
    return [
        ("PUT", path, {"role": "analyst"}),
        ("POST", f"{path}/suspend", {"reason": "a test"}),
        ("POST", f"{path}/resume", {}),
        ("DELETE", path, {}),
    ]


def _roles(app: Flask, by: MemberClient) -> dict[str, tuple[str, str]]:
    listed = _call(app, by, "GET", "").get_json()
    assert listed["count"] == len(listed["results"])
    return {one["user_id"]: (one["role"], one["status"]) for one in listed["results"]}


def test_a_member_is_listed_changed_suspended_resumed_and_removed(
    app: Flask, owner: MemberClient, rows: Rows
) -> None:
    member = make_member(app, owner.merchant, Role.FINANCE)
    user_id = member.user.public_id
    assert _roles(app, owner) == {owner.user.public_id: ("owner", "active"), user_id: ("finance", "active")}
    changed = _call(app, owner, "PUT", f"/{user_id}", role="finance_admin")
    assert changed.status_code == 200 and changed.get_json()["role"] == "finance_admin"
    assert changed.get_json()["email"] == member.user.email
    assert _call(app, owner, "POST", f"/{user_id}/suspend", reason="on leave").get_json()["suspended_at"]
    assert _roles(app, owner)[user_id] == ("finance_admin", "suspended")
    assert _call(app, owner, "POST", f"/{user_id}/resume").get_json()["suspended_at"] is None
    assert _call(app, owner, "DELETE", f"/{user_id}").get_json() == {"message": "The member is removed."}
    assert _call(app, owner, "DELETE", f"/{user_id}").status_code == 404
    assert list(_roles(app, owner)) == [owner.user.public_id]
    found = rows(
        "SELECT type, is_public, data, actor FROM (SELECT id AS n, object_id, type, is_public, data, actor FROM outbox "
        "UNION ALL SELECT seq, object_id, type, is_public, data, actor FROM events) e "
        "WHERE object_id = :id AND type LIKE 'member.%'",
        id=user_id,
    )
    assert {row.actor for row in found} == {owner.user.public_id} and not any(row.is_public for row in found)
    assert {row.type: row.data for row in found} == {
        "member.role_changed": {"role": "finance_admin", "before": "finance"},
        "member.suspended": {"reason": "on leave"},
        "member.resumed": {},
        "member.removed": {"role": "finance_admin"},
    }


def test_nobody_changes_a_member_who_may_do_more(app: Flask, owner: MemberClient) -> None:
    admin = make_member(app, owner.merchant, Role.ADMIN)
    approver = make_member(app, owner.merchant, Role.FINANCE_ADMIN)
    for target in (owner, approver):
        for method, path, body in _changes(target):
            refused = _call(app, admin, method, path, **body)
            assert (refused.status_code, refused.get_json()) == (403, APPROVE), (method, path)
    assert set(_roles(app, owner).values()) == {
        (role, "active") for role in ("owner", "admin", "finance_admin")
    }


def test_nobody_gives_a_role_that_may_do_more_or_changes_their_own(app: Flask, owner: MemberClient) -> None:
    admin, clerk = (make_member(app, owner.merchant, role) for role in (Role.ADMIN, Role.CASHIER))
    for role in ("owner", "finance_admin"):
        refused = _call(app, admin, "PUT", f"/{clerk.user.public_id}", role=role)
        assert (refused.status_code, refused.get_json()) == (403, APPROVE)
    assert _call(app, admin, "PUT", f"/{clerk.user.public_id}", role="admin").status_code == 200
    make_member(app, owner.merchant, Role.OWNER)
    for member, role in ((admin, "analyst"), (owner, "analyst"), (owner, "owner")):
        own = _call(app, member, "PUT", f"/{member.user.public_id}", role=role)
        assert (own.status_code, own.get_json()["error"]) == (400, "You cannot change your own role.")
    assert _roles(app, owner)[admin.user.public_id] == ("admin", "active")


@pytest.mark.parametrize("other", ["none", "suspended member", "suspended user"])
def test_the_last_active_owner_stays(app: Flask, owner: MemberClient, other: str) -> None:
    if other != "none":
        second = make_member(app, owner.merchant, Role.OWNER)
        with app.app_context():
            if other == "suspended user":
                suspension.suspend_user(second.user.email, reason="a test", operator=OPERATOR)
        if other == "suspended member":
            assert (
                _call(app, owner, "POST", f"/{second.user.public_id}/suspend", reason="a test").status_code
                == 200
            )
    path, tenant_id = f"/{owner.user.public_id}", owner.merchant.tenant_id
    for method, end, body in (("DELETE", "", {}), ("POST", "/suspend", {"reason": "a test"})):
        refused = _call(app, owner, method, path + end, **body)
        assert (refused.status_code, refused.get_json()) == (400, NEEDS_OWNER)
    with app.app_context(), pytest.raises(GatewayError, match="needs an active Owner"):
        member_changes.set_role(tenant_id, owner.user.email, Role.ADMIN, actor=OPERATOR)
    assert _roles(app, owner)[owner.user.public_id] == ("owner", "active")


def test_an_owner_may_leave_to_another(app: Flask, owner: MemberClient) -> None:
    second = make_member(app, owner.merchant, Role.OWNER)
    assert _call(app, owner, "DELETE", f"/{owner.user.public_id}").status_code == 200
    assert list(_roles(app, second)) == [second.user.public_id]


def _leave(member: MemberClient, other: MemberClient) -> None:
    member_changes.remove_member(member.merchant.tenant_id, member.user.user_id, actor=_principal(member))


def _demote(member: MemberClient, other: MemberClient) -> None:
    tenant_id = member.merchant.tenant_id
    member_changes.set_role(tenant_id, other.user.user_id, Role.ANALYST, actor=_principal(member))


def _principal(member: MemberClient) -> Principal:
    return Principal.of_member(member.merchant.tenant_id, member.user.user_id, member.user.session_id, None)


@pytest.mark.parametrize("act", [_leave, _demote])
def test_two_owners_at_once_leave_one(app: Flask, act: Callable[..., None], rows: Rows) -> None:
    """Each alone is allowed. Breaks when the tenant's row is not locked: both count the other as the one who stays."""
    for _ in range(4):
        merchant = make_merchant(app)
        owners = [make_member(app, merchant, Role.OWNER) for _ in range(2)]
        assert sorted(concurrently(2, partial(_succeeds, app, act, owners))) == [False, True]
        left = rows(
            "SELECT user_id FROM members WHERE tenant_id = :id AND role = 'owner'", id=merchant.tenant_id
        )
        assert len(left) == 1


def _succeeds(app: Flask, act: Callable[..., None], owners: list[MemberClient], number: int) -> bool:
    with app.app_context():
        try:
            act(owners[number], owners[1 - number])
        except GatewayError:
            return False
    return True


def test_a_change_counts_at_once_in_another_process(
    app: Flask, second_app: Flask, owner: MemberClient
) -> None:
    member = make_member(app, owner.merchant, Role.ADMIN)
    path = f"/{member.user.public_id}"

    def code() -> tuple[int, Any]:
        answer = _call(second_app, member, "GET", "")
        return answer.status_code, answer.get_json().get("error", answer.get_json().get("detail"))

    not_a_member = {"code": "FORBIDDEN", "message": "You do not act for this tenant."}
    assert code() == (200, None)
    _call(app, owner, "POST", f"{path}/suspend", reason="a test")
    assert code() == (403, not_a_member)
    _call(app, owner, "POST", f"{path}/resume")
    assert code() == (200, None)
    _call(app, owner, "PUT", path, role="finance")
    assert code() == (403, "Missing required scope: people:manage")
    _call(app, owner, "DELETE", path)
    assert code() == (403, not_a_member)


def test_what_is_not_the_tenants_is_not_found(app: Flask, owner: MemberClient) -> None:
    foreign = make_member(app, make_merchant(app), Role.CASHIER)
    for target in (foreign, MemberClient(owner.merchant, make_user(app))):
        for method, path, body in _changes(target):
            answer = _call(app, owner, method, path, **body)
            assert (answer.status_code, answer.get_json()) == (404, {"detail": "Not found."})
    for user_id in ("x", foreign.user.user_id, "usr_" + "0" * 32):
        assert _call(app, owner, "DELETE", f"/{user_id}").status_code == 404


@pytest.mark.parametrize(
    ("method", "end", "body"),
    [
        ("PUT", "", {"role": "boss"}),
        ("PUT", "", {"role": "Owner"}),
        ("PUT", "", {"role": None}),
        ("PUT", "", {"role": "finance", "tenant_id": "x"}),
        ("POST", "/suspend", {"reason": ""}),
        ("POST", "/suspend", {"reason": "x" * 201}),
    ],
)
def test_bad_input_changes_nothing(
    app: Flask, owner: MemberClient, method: str, end: str, body: dict[str, Any]
) -> None:
    member = make_member(app, owner.merchant, Role.CASHIER)
    refused = _call(app, owner, method, f"/{member.user.public_id}{end}", **body)
    assert refused.status_code == 400 and isinstance(refused.get_json()["error"], str)
    assert _roles(app, owner)[member.user.public_id] == ("cashier", "active")

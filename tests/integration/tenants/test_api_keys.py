"""A tenant's own keys over the Tenant API: shown once, and refused at once in every process when they end."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.errors import InvalidRequest
from app.models.member import Role
from app.services.tenants import key_changes, key_uses, suspension
from tests.support.concurrency import concurrently
from tests.support.gateway import OPERATOR
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

PREFIXES = ("/api/v1", "/v1")


def _call(app: Flask, member: MemberClient, method: str, path: str, **kwargs: Any) -> Any:
    return app.test_client().open(f"/v1/api-keys{path}", method=method, headers=member.headers, **kwargs)


def _made(app: Flask, owner: MemberClient, name: str = "shop") -> dict[str, Any]:
    answer = _call(app, owner, "POST", "", json={"name": name})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def _initialize(app: Flask, key: str) -> int:
    """The call whose guard believes what the process remembers: 400 for a good key, since M-Pesa takes no yen."""
    headers = {"X-TENANT-API-KEY": key, "Idempotency-Key": str(uuid.uuid4())}
    body = {
        "amount": "10.00",
        "currency": "JPY",
        "provider": "mpesa",
        "customer": {"email": "a@example.com"},
    }
    return int(app.test_client().post("/api/v1/payments/initialize", headers=headers, json=body).status_code)


def _list(app: Flask, key: str) -> int:
    return int(app.test_client().get("/api/v1/payments", headers={"X-TENANT-API-KEY": key}).status_code)


def _of_tenant(app: Flask, owner: MemberClient, key: str) -> int:
    headers = owner.headers | {"X-TENANT-API-KEY": key}
    return int(app.test_client().get("/api/v1/api-keys", headers=headers).status_code)


def _everywhere(app: Flask, owner: MemberClient, key: str) -> tuple[int, int, int]:
    return _initialize(app, key), _list(app, key), _of_tenant(app, owner, key)


GOOD, REFUSED = (400, 200, 200), (401, 401, 401)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_key_is_shown_once_and_listed_without_its_secret(
    app: Flask, owner: MemberClient, prefix: str
) -> None:
    client = app.test_client()
    made = client.post(f"{prefix}/api-keys", headers=owner.headers, json={"name": "till 2"}).get_json()
    listed = client.get(f"{prefix}/api-keys", headers=owner.headers)
    assert made["key"][:16] == made["prefix"] and made["key"] not in listed.text
    newest, first = listed.get_json()["results"]
    facts = {name: value for name, value in made.items() if name not in ("key", "message")}
    assert newest == facts and newest["created_by"] == owner.user.public_id
    assert first["name"] == "first key" and listed.get_json()["count"] == 2


def test_every_end_of_a_key_counts_at_once_in_another_process(
    app: Flask, second_app: Flask, owner: MemberClient
) -> None:
    """The other process has used the key, and remembers it as good."""
    made = _made(app, owner)
    key, path = made["key"], f"/{made['id']}"
    assert _everywhere(second_app, owner, key) == GOOD
    assert _call(app, owner, "POST", f"{path}/suspend").get_json()["suspended_at"]
    assert _everywhere(second_app, owner, key) == REFUSED
    assert _call(app, owner, "POST", f"{path}/resume").get_json()["suspended_at"] is None
    assert _everywhere(second_app, owner, key) == GOOD
    revoked = _call(app, owner, "DELETE", path)
    assert revoked.status_code == 200 and revoked.get_json()["revoked_at"]
    assert _everywhere(second_app, owner, key) == REFUSED
    for method, end in (("DELETE", ""), ("POST", "/suspend"), ("POST", "/resume"), ("POST", "/rotate")):
        gone = _call(app, owner, method, path + end)
        assert (gone.status_code, gone.get_json()) == (404, {"detail": "Not found."})


def test_a_rotated_key_is_refused_after_the_overlap_though_nothing_changes_then(
    app: Flask, second_app: Flask, owner: MemberClient, rows: Callable[..., list[Any]]
) -> None:
    """Breaks when what a process remembers of a key outlives the key."""
    made = _made(app, owner)
    rotated = _call(app, owner, "POST", f"/{made['id']}/rotate")
    assert rotated.status_code == 201 and rotated.get_json()["name"] == made["name"]
    old, new = made["key"], rotated.get_json()["key"]
    assert _everywhere(second_app, owner, old) == _everywhere(second_app, owner, new) == GOOD
    before = rows("SELECT version FROM reference_data")
    # Not by a day's travel: the session of the member would end, too.
    clock.travel(timedelta(hours=24, seconds=1))
    assert (_initialize(second_app, old), _list(second_app, old)) == (401, 401)
    assert (_initialize(second_app, new), _list(second_app, new)) == (400, 200)
    assert rows("SELECT version FROM reference_data") == before


def test_a_key_is_rotated_once_however_many_ask(app: Flask, owner: MemberClient) -> None:
    made = _made(app, owner)

    def rotate(_: int) -> str:
        with app.app_context():
            try:
                key_changes.rotate_api_key(made["prefix"], tenant_id=None, overlap_hours=0, operator=OPERATOR)
            except InvalidRequest as error:
                return error.message
        return "rotated"

    refused = "This key has been rotated before."
    assert sorted(concurrently(8, rotate)) == [refused] * 7 + ["rotated"]
    assert _list(app, made["key"]) == 401
    again = _call(app, owner, "POST", f"/{made['id']}/rotate")
    assert (again.status_code, again.get_json()) == (400, {"error": refused})


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "24", True, None])
def test_an_overlap_is_a_whole_number_of_hours_up_to_a_week(
    app: Flask, owner: MemberClient, hours: object
) -> None:
    made = _made(app, owner)
    refused = _call(app, owner, "POST", f"/{made['id']}/rotate", json={"overlap_hours": hours})
    assert refused.status_code == 400 and _list(app, made["key"]) == 200


def test_a_suspended_tenant_is_refused_everywhere_and_resumes(
    app: Flask, second_app: Flask, owner: MemberClient, merchant: MerchantClient
) -> None:
    key = merchant.api_key
    assert _everywhere(second_app, owner, key) == GOOD
    with app.app_context():
        suspension.suspend_tenant(merchant.tenant_id, reason="a test", operator=OPERATOR)
    assert _everywhere(second_app, owner, key) == REFUSED
    with app.app_context():
        suspension.reactivate_tenant(merchant.tenant_id, reason="a test", operator=OPERATOR)
    assert _everywhere(second_app, owner, key) == GOOD


def test_when_a_key_was_used_is_kept_to_a_minute_and_changes_no_version(
    app: Flask,
    second_app: Flask,
    merchant: MerchantClient,
    rows: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Breaks when each call writes, or when the trigger counts the column."""

    def state() -> tuple[Any, ...]:
        ((used, row_version),) = rows(
            "SELECT last_used_at, xmin::text FROM api_keys WHERE tenant_id = :id", id=merchant.tenant_id
        )
        ((version,),) = rows("SELECT version FROM reference_data")
        return used, row_version, version

    never, _, version = state()
    assert never is None
    assert _list(app, merchant.api_key) == 200
    first = state()
    assert first[0] is not None and first[2] == version
    assert _initialize(second_app, merchant.api_key) == 400
    with monkeypatch.context() as patch:
        patch.setattr(key_uses, "transaction", None)  # no statement may be made
        for one in (app, second_app):
            assert (_list(one, merchant.api_key), _initialize(one, merchant.api_key)) == (200, 400)
    assert state() == first
    clock.travel(timedelta(seconds=61))
    assert _initialize(app, merchant.api_key) == 400
    assert state()[0] > first[0] and state()[2] == version


def test_another_tenants_key_is_not_found(app: Flask, owner: MemberClient) -> None:
    outsider = make_member(app, make_merchant(app), Role.OWNER)
    foreign = _made(app, outsider)
    for method, end in (("DELETE", ""), ("POST", "/suspend"), ("POST", "/resume"), ("POST", "/rotate")):
        answer = _call(app, owner, method, f"/{foreign['id']}{end}")
        assert (answer.status_code, answer.get_json()) == (404, {"detail": "Not found."})
    assert _list(app, foreign["key"]) == 200


def test_a_tenant_has_a_bounded_number_of_keys(
    app: Flask, owner: MemberClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_changes, "MAX_KEYS", 2)
    made = _made(app, owner)
    for path, body in (("", {"name": "third"}), (f"/{made['id']}/rotate", {})):
        refused = _call(app, owner, "POST", path, json=body)
        assert refused.get_json() == {"error": "A tenant has at most 2 API keys in use; revoke one."}


def test_changes_are_in_the_audit_trail_with_the_member_and_without_the_key(
    app: Flask, owner: MemberClient, rows: Callable[..., list[Any]]
) -> None:
    made = _made(app, owner)
    for end in ("/suspend", "/suspend", "/resume", "/rotate"):
        assert _call(app, owner, "POST", f"/{made['id']}{end}").status_code in (200, 201)
    _call(app, owner, "DELETE", f"/{made['id']}")
    found = rows(
        "SELECT type, is_public, data::text AS data FROM outbox WHERE tenant_id = :id AND actor = :actor "
        "UNION ALL SELECT type, is_public, data::text FROM events WHERE tenant_id = :id AND actor = :actor",
        id=owner.merchant.tenant_id,
        actor=owner.user.public_id,
    )
    expected = ["created", "created", "resumed", "revoked", "rotated", "suspended"]
    assert sorted(row.type for row in found) == [f"api_key.{what}" for what in expected]
    assert not any(row.is_public or made["key"][17:] in row.data for row in found)

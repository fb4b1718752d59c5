"""`flask members`, and what `flask tenants` does with keys and withdrawals: a sentence, or a sentence and exit code 1."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.models.member import Role
from tests.support.factories import make_user
from tests.support.tenants import MerchantClient, make_member

Run = Callable[..., str]


@pytest.fixture
def run(app: Flask) -> Run:
    """The output of a command that works."""

    def invoke(*args: object) -> str:
        result = app.test_cli_runner().invoke(args=[str(arg) for arg in args])
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


@pytest.fixture
def refuse(app: Flask) -> Run:
    """The sentence of a command that is refused."""

    def invoke(*args: object) -> str:
        result = app.test_cli_runner().invoke(args=[str(arg) for arg in args])
        assert result.exit_code == 1 and result.output.startswith("Error: "), result.output
        return result.output.removeprefix("Error: ").strip()

    return invoke


@pytest.mark.parametrize("group", ["members", "member"])
def test_an_operator_makes_the_first_owner_and_changes_members(
    app: Flask, merchant: MerchantClient, run: Run, refuse: Run, group: str
) -> None:
    tenant, user = merchant.tenant_id, make_user(app)
    email = user.email.upper()
    assert run(group, "add", tenant, email, "owner").endswith("is a member with the role owner.\n")
    assert run(group, "list", tenant) == f"{user.public_id}  owner          {user.email}\n"
    assert refuse(group, "add", tenant, email, "admin") == "This user is a member already."
    for change in (("set-role", tenant, email, "admin"), ("remove", tenant, email)):
        assert refuse(group, *change) == "A tenant needs an active Owner: make another member one first."
    second = make_user(app)
    run(group, "add", tenant, second.email, "cashier")
    run(group, "set-role", tenant, second.email, "finance")
    run(group, "suspend", tenant, second.email, "--reason", "a test")
    assert run(group, "list", tenant).endswith(f"finance        {second.email}  suspended\n")
    run(group, "resume", tenant, second.email)
    run(group, "remove", tenant, second.email)
    assert refuse(group, "remove", tenant, second.email) == "The tenant has no such member."
    assert refuse(group, "add", tenant, "nobody@example.com", "owner") == "No user has this e-mail."
    assert refuse(group, "add", uuid.uuid4(), user.email, "owner") == "There is no tenant with this id."


def test_an_operator_invites(app: Flask, merchant: MerchantClient, run: Run, refuse: Run, rows: Any) -> None:
    email = f"guest-{secrets.token_hex(6)}@example.com"
    token = re.search(r"only now: (\S+)\n", run("members", "invite", merchant.tenant_id, email, "owner"))[1]
    assert "open invitation" in refuse("members", "invite", merchant.tenant_id, email, "admin")
    headers = make_user(app, email=email).headers
    joined = app.test_client().post("/v1/invitations/accept", headers=headers, json={"token": token})
    assert joined.get_json()["tenant"]["role"] == "owner"
    ((by,),) = rows("SELECT invited_by FROM invitations WHERE tenant_id = :id", id=merchant.tenant_id)
    assert by.startswith("cli:")


def test_an_operator_suspends_resumes_and_rotates_keys(
    app: Flask, merchant: MerchantClient, run: Run, refuse: Run
) -> None:
    prefix, owner = merchant.api_key[:16], make_member(app, merchant, Role.OWNER)

    def code(key: str = merchant.api_key) -> int:
        headers = owner.headers | {"X-TENANT-API-KEY": key}
        return int(app.test_client().get("/v1/members", headers=headers).status_code)

    assert run("tenant", "list-keys", merchant.tenant_id) == f"{prefix}  in use     never used  first key\n"
    assert code() == 200
    run("tenants", "suspend-key", prefix)
    assert code() == 401 and "suspended  used 2" in run("tenants", "list-keys", merchant.tenant_id)
    assert run("tenants", "suspend-key", prefix).endswith("suspended, as before.\n")
    run("tenants", "resume-key", prefix)
    assert code() == 200
    new = re.search(r"only now: (\S+)", run("tenants", "rotate-key", prefix, "--overlap-hours", 0))[1]
    assert (code(), code(new)) == (401, 200)
    assert refuse("tenants", "rotate-key", prefix) == "This key has been rotated before."
    run("tenants", "revoke-key", new[:16])
    assert code(new) == 401
    assert [
        line.split("  ")[1].strip() for line in run("tenants", "list-keys", merchant.tenant_id).splitlines()
    ] == [
        "expired",
        "revoked",
    ]
    for command in ("revoke-key", "suspend-key", "resume-key", "rotate-key"):
        assert refuse("tenants", command, "mlp_000000000000") == "No key that is in use begins like this."


def test_approvals_are_set_replaced_listed_and_removed(
    merchant: MerchantClient, run: Run, refuse: Run, rows: Any
) -> None:
    tenant = merchant.tenant_id
    run("tenants", "set-approvals", tenant, "kes", "100000", 2)
    run("tenants", "set-approvals", tenant, "KES", "100000.00", 3)
    run("tenants", "set-approvals", tenant, "JPY", "0", 1)
    assert (
        run("tenants", "list-approvals", tenant)
        == "JPY  from 0  1 approval\nKES  from 100000.00  3 approvals\n"
    )
    run("tenants", "remove-approvals", tenant, "KES", "100000")
    assert run("tenants", "list-approvals", tenant) == "JPY  from 0  1 approval\n"
    for wrong in (("XXX", "1"), ("KES", "1.001"), ("KES", "many"), ("KES", "1e99")):
        refuse("tenants", "set-approvals", tenant, *wrong, 2)
    refuse("tenants", "remove-approvals", tenant, "KES", "100000")
    refuse("tenants", "set-approvals", uuid.uuid4(), "KES", "1", 2)
    found = rows(
        "SELECT type, actor FROM outbox WHERE tenant_id = :id AND type LIKE 'approval_band.%' "
        "UNION ALL SELECT type, actor FROM events WHERE tenant_id = :id AND type LIKE 'approval_band.%'",
        id=tenant,
    )
    assert sorted(row.type for row in found) == ["approval_band.removed"] + ["approval_band.set"] * 3
    assert all(row.actor.startswith("cli:") for row in found)


def test_a_tenants_minimum_stands_beside_the_platforms(
    merchant: MerchantClient, run: Run, refuse: Run, rows: Any
) -> None:
    platform = rows("SELECT method, minimum FROM withdrawal_minimums WHERE tenant_id IS NULL ORDER BY method")
    assert platform == [("bank_transfer", 10_000), ("mpesa", 1_000), ("till", 1_000)]
    for amount in ("25", "50"):
        run("tenants", "set-minimum", "mpesa", "KES", amount, "--tenant", merchant.tenant_id)
    listed = run("tenants", "list-minimums")
    assert (
        f"mpesa          50.00 KES  {merchant.tenant_id}\n" in listed
        and "mpesa          10.00 KES  every tenant" in listed
    )
    run("tenants", "set-minimum", "mpesa", "KES", "10")  # the platform's own, as it is
    assert (
        rows("SELECT method, minimum FROM withdrawal_minimums WHERE tenant_id IS NULL ORDER BY method")
        == platform
    )
    for wrong in (
        ("cheque", "KES", "1"),
        ("mpesa", "XXX", "1"),
        ("mpesa", "KES", "0"),
        ("mpesa", "KES", "-1"),
    ):
        refuse("tenants", "set-minimum", *wrong[:2], "--tenant", merchant.tenant_id, "--", wrong[2])
    remove = ("tenants", "remove-minimum", "mpesa", "KES", "--tenant", merchant.tenant_id)
    assert run(*remove) == "The minimum is removed.\n"
    refuse(*remove)
    assert str(merchant.tenant_id) not in run("tenants", "list-minimums")

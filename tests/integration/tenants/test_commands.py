"""`flask tenants` and `flask users`: a sentence when it worked, a sentence and exit code 1 when not."""

from __future__ import annotations

import os
import pwd
import re
import uuid

from flask import Flask
from flask.testing import FlaskClient

from app.services.tenants import api_keys
from tests.support.factories import make_user, make_wallet
from tests.support.kyc import submit, upload


def test_tenant_commands_create_tenants_and_manage_keys(app: Flask) -> None:
    run = app.test_cli_runner().invoke
    name = f"Duka {uuid.uuid4().hex[:6]}"
    made = run(args=["tenants", "create", name, "--plan", "enterprise"]).output
    tenant_id, key = re.search(r"Tenant (\S+) ", made)[1], re.search(r"only now: (\S+)", made)[1]
    with app.app_context():
        assert str(api_keys.authenticate(key)[0]) == tenant_id
    assert f"{tenant_id}  enterprise  {name}" in run(args=["tenants", "list"]).output
    second = re.search(r"only now: (\S+)", run(args=["tenants", "add-key", tenant_id, "till 2"]).output)[1]
    assert second != key
    assert run(args=["tenants", "revoke-key", key[:16]]).exit_code == 0
    again = run(args=["tenants", "revoke-key", key[:16]])
    assert again.exit_code == 1 and again.output == "Error: No key that is in use begins like this.\n"
    assert run(args=["tenants", "add-key", str(uuid.uuid4()), "x"]).exit_code == 1
    assert run(args=["tenants", "create", "X", "--plan", "free"]).exit_code == 2


def test_a_scope_is_given_and_taken(app: Flask, rows) -> None:
    run, user = app.test_cli_runner().invoke, make_user(app)

    def scopes() -> list[str]:
        ((found,),) = rows("SELECT scopes FROM users WHERE id = :id", id=user.user_id)
        return found

    assert run(args=["users", "grant", user.email, "admin"]).output == f"{user.email} has the scope admin.\n"
    assert scopes() == ["admin"]
    assert run(args=["users", "grant", user.email, "admin"]).output.endswith("admin, as before.\n")
    assert run(args=["users", "revoke", user.email, "admin"]).exit_code == 0
    assert scopes() == []
    assert run(args=["users", "grant", user.email, "root"]).exit_code == 1
    assert run(args=["users", "grant", "nobody@example.com", "admin"]).exit_code == 1


def test_every_decision_names_the_operating_systems_user(app: Flask, client: FlaskClient, rows) -> None:
    """Breaks when a command records an event under another actor, or none."""
    user, suffix = make_user(app, tier=0), uuid.uuid4().hex[:6]
    wallet = make_wallet(app, user)

    def run(*args: str) -> str:
        result = app.test_cli_runner().invoke(args=list(args))
        assert result.exit_code == 0, result.output
        return result.output

    made = run("tenants", "create", f"Duka {suffix}")
    tenant_id, key = re.search(r"Tenant (\S+) ", made)[1], re.search(r"only now: (\S+)", made)[1]
    rule_id = re.search(r"Rule (\S+) ", run("fees", "set", "--tenant", tenant_id, "--rate", "2"))[1]
    request_id = submit(client, user).json["request_id"]
    upload(client, user)
    for command in (
        ("fees", "remove", rule_id),
        ("tenants", "add-key", tenant_id, "second"),
        ("tenants", "revoke-key", key[:16]),
        ("tenants", "suspend", tenant_id, "--reason", "test"),
        ("tenants", "reactivate", tenant_id, "--reason", "test"),
        (
            "provider-account",
            "set",
            tenant_id,
            "paystack",
            "secret_key=sk_test_1",
            "--environment",
            "sandbox",
        ),
        ("users", "grant", user.email, "admin"),
        ("users", "revoke", user.email, "admin"),
        ("users", "suspend", user.email, "--reason", "test"),
        ("users", "reactivate", user.email, "--reason", "test"),
        ("wallet", "freeze", wallet),
        ("wallet", "thaw", wallet),
        ("kyc", "reject", request_id, "blurred"),
    ):
        run(*command)
    actor = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    about = (tenant_id, rule_id, user.public_id, wallet, request_id)
    found = rows(
        "SELECT type FROM outbox WHERE actor = :actor AND (object_id = ANY(:about) OR tenant_id::text = :tenant)",
        actor=actor,
        about=list(about),
        tenant=tenant_id,
    )
    assert sorted(row.type for row in found) == sorted(
        [
            "tenant.created",
            "api_key.created",
            "fee_rule.set",
            "fee_rule.removed",
            "api_key.created",
            "api_key.revoked",
            "tenant.suspended",
            "tenant.reactivated",
            "provider_account.set",
            "user.scope_granted",
            "user.scope_revoked",
            "user.suspended",
            "user.reactivated",
            "wallet.frozen",
            "wallet.thawed",
            "kyc.rejected",
        ]
    )

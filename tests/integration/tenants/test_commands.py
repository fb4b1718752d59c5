"""`flask tenant` and `flask user`: a sentence when it worked, a sentence and exit code 1 when not."""

from __future__ import annotations

import re
import uuid

from flask import Flask

from app.services.tenants import api_keys
from tests.support.factories import make_user


def test_tenant_commands_create_tenants_and_manage_keys(app: Flask) -> None:
    run = app.test_cli_runner().invoke
    name = f"Duka {uuid.uuid4().hex[:6]}"
    made = run(args=["tenant", "create", name, "--plan", "enterprise"]).output
    tenant_id, key = re.search(r"Tenant (\S+) ", made)[1], re.search(r"only now: (\S+)", made)[1]
    with app.app_context():
        assert str(api_keys.authenticate(key)[0]) == tenant_id
    assert f"{tenant_id}  enterprise  {name}" in run(args=["tenant", "list"]).output
    second = re.search(r"only now: (\S+)", run(args=["tenant", "key", tenant_id, "till 2"]).output)[1]
    assert second != key
    assert run(args=["tenant", "revoke", key[:16]]).exit_code == 0
    again = run(args=["tenant", "revoke", key[:16]])
    assert again.exit_code == 1 and again.output == "Error: No key that is in use begins like this.\n"
    assert run(args=["tenant", "key", str(uuid.uuid4()), "x"]).exit_code == 1
    assert run(args=["tenant", "create", "X", "--plan", "free"]).exit_code == 2


def test_a_scope_is_given_and_taken(app: Flask, rows) -> None:
    run, user = app.test_cli_runner().invoke, make_user(app)

    def scopes() -> list[str]:
        ((found,),) = rows("SELECT scopes FROM users WHERE id = :id", id=user.user_id)
        return found

    assert run(args=["user", "grant", user.email, "admin"]).output == f"{user.email} has the scope admin.\n"
    assert scopes() == ["admin"]
    assert run(args=["user", "grant", user.email, "admin"]).output.endswith("admin, as before.\n")
    assert run(args=["user", "revoke", user.email, "admin"]).exit_code == 0
    assert scopes() == []
    assert run(args=["user", "grant", user.email, "root"]).exit_code == 1
    assert run(args=["user", "grant", "nobody@example.com", "admin"]).exit_code == 1

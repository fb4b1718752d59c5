"""`flask demo purge`: what loading made is found, and afterwards none of it opens anything."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import clock, create_app, ledger
from app.models import Tenant, User
from app.principal import SYSTEM, Principal
from app.services.demo import detection as demo_detection
from app.services.demo import load as demo_data
from app.services.demo import purge
from app.services.demo.objects import (
    API_KEY,
    API_KEYS,
    EMAILS,
    OAUTH_CLIENTS,
    PASSWORD,
    TENANT_ID,
    TENANT_IDS,
    USERS,
)
from app.services.identity import passwords
from app.services.provider_access import accounts as provider_accounts
from app.services.tenants import api_keys, key_changes, tenants
from app.services.wallets import wallets
from app.unit_of_work import reading, transaction
from launcher.embedded import EmbeddedRedis
from tests.support.database import connection, run
from tests.support.demo import PRODUCTION, command, loaded, new_settings
from tests.support.factories import make_user, make_wallet
from tests.support.gateway import OPERATOR
from tests.support.tenants import make_merchant

HISTORY = {"entries", "postings", "unfolded", "direct_fundings", "outbox"} | {
    "members",
    "customers",
    "payment_methods",
    "orders",
    "payout_destinations",
    "listings",
    "bookings",
    "reserved_nights",
}
"""Tables whose rows say what happened, or what a tenant that is suspended has: they open nothing, and are never removed."""

OPENING = {"users", "tenants", "api_keys", "oauth_clients"}
"""Tables whose rows are or have credentials. What loading adds to them must be found, each row by its id."""


@pytest.fixture
def settings_of_a_demo(redis_server: EmbeddedRedis, tmp_path: Path) -> dict[str, str]:
    return new_settings(redis_server, tmp_path)


@pytest.fixture
def demo(settings_of_a_demo: dict[str, str]) -> Flask:
    return loaded(settings_of_a_demo)


@pytest.fixture
def production(demo: Flask, settings_of_a_demo: dict[str, str]) -> Flask:
    """Production over the demo's database, as its commands see it."""
    return create_app({**settings_of_a_demo, **PRODUCTION})


def _rows(settings: dict[str, str]) -> dict[str, set[str]]:
    """Table → the ids of its rows."""
    found: dict[str, set[str]] = {}
    with connection(settings, as_owner=True) as opened:
        tables = run(
            opened,
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'reference_data'",
        )
        for (table,) in tables:
            found[table] = {str(row[0]) for row in run(opened, f"SELECT t::text FROM {table} t")}
    return found


def _ids(settings: dict[str, str], table: str) -> set[str]:
    with connection(settings, as_owner=True) as opened:
        return {str(row[0]) for row in run(opened, f"SELECT id FROM {table}")}


def _found(app: Flask) -> list[demo_detection.DemoObject]:
    with app.app_context(), reading() as session:
        return demo_detection.found(session)


def _login(app: Flask, email: str) -> Any:
    body = {"email": email, "password": PASSWORD}
    return app.test_client().post("/api/v1/auth/login", json=body)


def test_every_row_that_loading_makes_is_found_or_history(settings_of_a_demo: dict[str, str]) -> None:
    """A table that is new to the demo belongs into detection and purge, and then into this test."""
    before = _rows(settings_of_a_demo)
    ids_before = {table: _ids(settings_of_a_demo, table) for table in OPENING}
    app = loaded(settings_of_a_demo)
    added = {table for table, rows in _rows(settings_of_a_demo).items() if rows - before[table]}
    assert OPENING <= added <= OPENING | HISTORY | {"accounts"}
    made = {table: _ids(settings_of_a_demo, table) - ids_before[table] for table in OPENING}
    assert all(made.values())
    assert {one.object_id for one in _found(app)} == set().union(*made.values())


def test_a_purge_leaves_nothing_that_can_be_found_and_the_books_whole(
    demo: Flask, settings_of_a_demo: dict[str, str]
) -> None:
    posted = "SELECT count(*), sum(abs(amount)) FROM postings"
    with connection(settings_of_a_demo, as_owner=True) as opened:
        before = run(opened, posted)
        with demo.app_context():
            done = purge.purge(operator=Principal.of_command("olive"))
            with reading() as session:
                assert ledger.check(session) == []
        assert run(opened, posted) == before
        assert (done.users, done.tenants, done.api_keys) == (len(USERS), len(TENANT_IDS), len(API_KEYS))
        assert _found(demo) == []
        thawed = run(opened, "SELECT public_id FROM accounts WHERE NOT frozen")
        assert all(public_id.startswith("external:") for (public_id,) in thawed), thawed
        assert run(opened, "SELECT count(*) FROM users WHERE is_active OR scopes <> '{}'") == [(0,)]
    _each_change_is_an_event_with_its_actor(settings_of_a_demo)
    _a_second_purge_changes_nothing(demo, settings_of_a_demo)


def _each_change_is_an_event_with_its_actor(settings: dict[str, str]) -> None:
    with connection(settings, as_owner=True) as opened:
        events = dict(
            run(opened, "SELECT type, count(*) FROM outbox WHERE actor = 'cli:olive' GROUP BY type")
        )
    assert events.pop("wallet.frozen") > len(USERS)
    assert events == {
        "user.disabled": len(USERS),
        "user.scope_revoked": 1,
        "tenant.suspended": len(TENANT_IDS),
        "api_key.revoked": len(API_KEYS),
        "oauth_client.disabled": len(OAUTH_CLIENTS),
    }


def _a_second_purge_changes_nothing(demo: Flask, settings: dict[str, str]) -> None:
    before = _rows(settings)
    with demo.app_context():
        assert purge.purge(operator=SYSTEM).is_nothing
    assert _rows(settings) == before


def test_nothing_the_demo_published_opens_anything_afterwards(demo: Flask) -> None:
    """In the demo itself, which is easier to please than production: its key and its anonymous merchant are taken there."""
    client = demo.test_client()
    sessions = {user.email: _login(demo, user.email).json for user in USERS}
    key = {"X-TENANT-API-KEY": API_KEY}
    assert client.get("/api/v1/payments/providers", headers=key).status_code == 200
    with demo.app_context():
        assert purge.purge(operator=SYSTEM).sessions == len(USERS)
    for email, opened in sessions.items():
        assert _login(demo, email).status_code == 401, email
        bearer = {"Authorization": f"Bearer {opened['access_token']}"}
        assert client.get("/api/v1/accounts", headers=bearer).status_code == 401, email
        refreshed = client.post("/api/v1/auth/refresh", json={"refresh_token": opened["refresh_token"]})
        assert refreshed.status_code == 401, email
    sender = {"Authorization": f"Bearer {sessions['sender@example.com']['access_token']}"}
    body = {"amount": "1.00", "source_wallet_id": "acc_sender_123", "destination": "acc_recipient_456"}
    assert client.post("/api/v1/payments", headers=sender, json=body).status_code == 401
    assert client.get("/api/v1/payments/providers", headers=key).status_code == 401
    assert client.get("/api/v1/payments/providers").status_code == 401


def test_what_was_purged_is_neither_reactivated_in_production_nor_loaded_again(
    demo: Flask, production: Flask
) -> None:
    """Otherwise one command would make production refuse to start."""
    with demo.app_context():
        purge.purge(operator=SYSTEM)
        assert demo_data.load() == 0
    for arguments in (
        ("users", "reactivate", "operator@example.com"),
        ("tenants", "reactivate", str(TENANT_ID)),
    ):
        result = production.test_cli_runner().invoke(args=[*arguments, "--reason", "by mistake"])
        assert result.exit_code == 1 and "cannot be reactivated" in result.output, result.output
    assert _found(production) == []


def test_what_others_have_is_not_touched_and_pays_nobody_of_the_demo(demo: Flask) -> None:
    user, shop = make_user(demo), make_merchant(demo)
    wallet = make_wallet(demo, user, balance="5")
    with demo.app_context():
        purge.purge(operator=SYSTEM)
        assert tenants.is_active(shop.tenant_id)
        assert api_keys.authenticate(shop.api_key)[0] == shop.tenant_id
        assert not [one for one in wallets.wallets(user.user_id) if one.frozen]
        left = purge.left()
    assert (left.users, left.tenants) == (1, 1)
    assert demo.test_client().get("/api/v1/accounts", headers=user.headers).status_code == 200
    for email in EMAILS:
        body = {"amount": "1.00", "currency": "USD", "source_wallet_id": wallet, "destination": email}
        answer = demo.test_client().post("/api/v1/payments", json=body, headers=user.headers)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "RECIPIENT_NOT_FOUND"), email


def test_the_command_works_in_production_and_asks_unless_told(production: Flask) -> None:
    refused = command(production, "demo", "purge", input="n\n")
    assert refused.exit_code == 1
    assert _found(production)
    done = command(production, "demo", "purge", "--yes")
    assert (done.exit_code, "?" in done.output) == (0, False), done.output
    assert f"Ended: {len(USERS)} users, " in done.output
    assert "Not changed: 0 other users and 0 other tenants." in done.output
    assert _found(production) == []
    again = command(production, "demo", "purge", "--yes")
    assert again.exit_code == 0
    assert "there was nothing to do" in again.output


# --- variants of the demo's objects


def _add_user(app: Flask, *, email: str, password: str) -> uuid.UUID:
    user_id = uuid.uuid4()
    user = User(
        id=user_id,
        email=email,
        password_hash=passwords.hash_password(password),
        first_name="A",
        last_name="B",
        tier=0,
        is_active=True,
        scopes=["admin"],
        created_at=clock.now(),
    )
    with app.app_context():
        transaction(lambda session: session.add(user))
    return user_id


def test_a_demo_address_with_the_published_password_is_found_under_any_id(
    settings_of_a_demo: dict[str, str],
) -> None:
    app = create_app(settings_of_a_demo)
    user_id = _add_user(app, email="operator@example.com", password=PASSWORD)
    assert [one.object_id for one in _found(app)] == [str(user_id)]
    with app.app_context():
        purge.purge(operator=SYSTEM)
    assert _found(app) == []
    assert _login(app, "operator@example.com").status_code == 401


def test_a_demo_address_with_a_password_of_its_own_is_somebody_else_s(
    settings_of_a_demo: dict[str, str],
) -> None:
    """Otherwise registering it would keep production from starting."""
    app = create_app(settings_of_a_demo)
    _add_user(app, email="bob@example.com", password="Another-Pass-9!")
    assert _found(app) == []
    with app.app_context():
        assert purge.purge(operator=SYSTEM).is_nothing


def test_production_registers_nobody_under_a_demo_address(settings_of_a_demo: dict[str, str]) -> None:
    app = create_app({**settings_of_a_demo, **PRODUCTION, "RATE_LIMIT_AUTH": "1000/minute"})
    for email in (*sorted(EMAILS), " Operator@Example.COM "):
        body = {"email": email, "password": PASSWORD, "first_name": "New", "last_name": "Person"}
        answer = app.test_client().post("/api/v1/auth/register", json=body)
        assert answer.status_code == 400, (email, answer.text)
    assert _found(app) == []


def test_a_user_who_was_disabled_by_half_is_found(demo: Flask, settings_of_a_demo: dict[str, str]) -> None:
    operator = "email = 'operator@example.com'"
    with connection(settings_of_a_demo, as_owner=True) as opened:
        ((password_hash,),) = run(opened, f"SELECT password_hash FROM users WHERE {operator}")
        as_loaded = "is_active = true, scopes = '{admin}', password_hash = %s"
        for change in ("is_active = false", "scopes = '{}'", "password_hash = '!'"):
            run(opened, f"UPDATE users SET {as_loaded} WHERE {operator}", password_hash)
            run(opened, f"UPDATE users SET {change} WHERE {operator}")
            assert "user operator@example.com" in {one.title for one in _found(demo)}, change


def test_a_key_and_an_account_that_the_demo_tenant_got_later_are_found_and_ended(demo: Flask) -> None:
    with demo.app_context():
        key = key_changes.add_api_key(TENANT_ID, "later")[1]
        values = {"api_key": "sk_test_51Later", "webhook_secret": "whsec_later"}
        provider_accounts.set_account(TENANT_ID, "stripe", values, environment="sandbox", operator=OPERATOR)
    titles = {one.title for one in _found(demo)}
    assert {f"API key {key[:16]}…", "account at stripe"} <= titles
    with demo.app_context():
        done = purge.purge(operator=SYSTEM)
    assert (done.api_keys, done.provider_accounts) == (len(API_KEYS) + 1, 1)
    assert _found(demo) == []


def test_the_published_key_is_found_under_any_tenant(settings_of_a_demo: dict[str, str]) -> None:
    app = create_app(settings_of_a_demo)
    shop = make_merchant(app)
    with app.app_context():
        transaction(lambda session: api_keys.store_key(session, API_KEY, tenant_id=shop.tenant_id, name="x"))
    assert len(_found(app)) == 1
    with app.app_context():
        purge.purge(operator=SYSTEM)
        assert tenants.is_active(shop.tenant_id)
    assert _found(app) == []


def test_a_tenant_without_its_users_is_found(demo: Flask, settings_of_a_demo: dict[str, str]) -> None:
    with connection(settings_of_a_demo, as_owner=True) as opened:
        run(opened, "DELETE FROM users")
        run(opened, "UPDATE api_keys SET revoked_at = now()")
        run(opened, "UPDATE oauth_clients SET disabled_at = now()")
    assert {one.object_id for one in _found(demo)} == set(map(str, TENANT_IDS))
    with demo.app_context(), reading() as session:
        assert session.get_one(Tenant, TENANT_ID).is_active

"""A database is a demo's or production's: who may be served from it, and who may load or empty it."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import pytest
from flask import Flask
from psycopg2.extras import Json

from app import create_app
from app.cli.relay import make_relay
from app.config.setting import ConfigError
from app.principal import SYSTEM
from app.services.demo import load as demo_data
from app.services.demo import purge
from app.services.demo.objects import USERS
from app.services.operator import installation
from app.services.operator.installation import UnfitDatabase
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import servers
from tests.support.concurrency import concurrently
from tests.support.database import connection, run
from tests.support.demo import PRODUCTION, command, loaded, new_settings
from tests.support.event_log import NoPushes
from tests.support.factories import make_user
from tests.support.waiting import wait_until

MARKS = "SELECT count(*) FROM outbox WHERE type = 'installation.production_started'"


@pytest.fixture
def demo_settings(redis_server: EmbeddedRedis, tmp_path: Path) -> dict[str, str]:
    return new_settings(redis_server, tmp_path)


@pytest.fixture
def production_settings(demo_settings: dict[str, str]) -> dict[str, str]:
    return {**demo_settings, **PRODUCTION}


@pytest.fixture
def production(production_settings: dict[str, str]) -> Flask:
    """A production that has been served from its database."""
    app = create_app(production_settings)
    installation.require_fit(app)
    return app


def _count(settings: dict[str, str], statement: str) -> int:
    with connection(settings, as_owner=True) as opened:
        ((count,),) = run(opened, statement)
    return int(count)


@pytest.fixture(autouse=True)
def checks_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.operator.health.READINESS_LIFE_S", 0.0)


def _checks(app: Flask) -> dict[str, str]:
    answer = app.test_client().get("/health/ready")
    checks: dict[str, str] = answer.json["checks"]
    assert (answer.status_code == 200) is (set(checks.values()) == {"ok"})
    return checks


def test_production_is_not_served_from_a_demo(
    demo_settings: dict[str, str], production_settings: dict[str, str]
) -> None:
    loaded(demo_settings)
    production = create_app(production_settings)
    with pytest.raises(UnfitDatabase) as caught:
        installation.require_fit(production)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    for user in USERS:
        assert f"user {user.email}" in sentence
    assert "tenant Wabotiq Demo" in sentence and "API key demo_tenant_key_…" in sentence
    assert "`flask demo purge`" in sentence
    assert "SecurePass123!" not in sentence and "7Jt2mQ9sVx4L" not in sentence
    assert _count(production_settings, MARKS) == 0, "what was refused leaves no mark"


def test_after_a_purge_production_is_served(
    demo_settings: dict[str, str], production_settings: dict[str, str]
) -> None:
    demo = loaded(demo_settings)
    with demo.app_context():
        purge.purge(operator=SYSTEM)
    production = create_app(production_settings)
    installation.require_fit(production)
    assert _checks(production)["demo"] == "ok"


def test_production_is_marked_once_however_many_processes_start(production_settings: dict[str, str]) -> None:
    apps = [create_app(production_settings) for _ in range(3)]
    concurrently(len(apps), lambda number: installation.require_fit(apps[number]))
    installation.require_fit(apps[0])
    assert _count(production_settings, MARKS) == 1


def test_the_mark_outlasts_its_publication(production: Flask, demo_settings: dict[str, str]) -> None:
    """The relay takes it out of the outbox: then it is in the log."""
    with production.app_context():
        relay = make_relay(production.config, NoPushes())
        while relay.step():
            pass
        relay.close()
    assert _count(demo_settings, MARKS) == 0
    with pytest.raises(UnfitDatabase):
        installation.require_fit(create_app(demo_settings))
    installation.require_fit(production)


@pytest.mark.parametrize("mode", ["demo", "test"])
def test_a_production_database_takes_no_demo_data(
    production: Flask, demo_settings: dict[str, str], mode: str, tmp_path: Path
) -> None:
    """DATABASE_URL of production in a shell whose GATEWAY_ENV says nothing, which is the demo."""
    make_user(production)
    other = create_app({**demo_settings, "GATEWAY_ENV": mode})
    commands = [("demo", "load"), ("demo", "reset"), *([("prepare",)] if mode == "demo" else [])]
    for words in commands:
        done = command(other, *words)
        assert done.exit_code == 1, words
        assert "Production has been served from this database" in done.output, words
        assert _count(demo_settings, "SELECT count(*) FROM users") == 1, words
        assert _count(demo_settings, "SELECT count(*) FROM tenants") == 0, words
        assert _count(demo_settings, "SELECT count(*) FROM jobs") == 0, words
    # Emptying asks in its own transaction: what the command has read may be another moment's.
    with other.app_context(), pytest.raises(UnfitDatabase):
        demo_data.reset(other.config["OWNER_DATABASE_URI"], tmp_path)
    assert _count(demo_settings, "SELECT count(*) FROM users") == 1


def test_a_production_database_is_served_by_production_alone(
    production: Flask, demo_settings: dict[str, str]
) -> None:
    """A demo lets everybody in without a credential, and wallets make money."""
    for mode in ("demo", "test"):
        with pytest.raises(UnfitDatabase, match=f"GATEWAY_ENV is {mode}: set GATEWAY_ENV=production"):
            installation.require_fit(create_app({**demo_settings, "GATEWAY_ENV": mode}))


def test_production_itself_loads_no_demo(production_settings: dict[str, str]) -> None:
    app = create_app(production_settings)
    for words in (("demo", "load"), ("demo", "reset")):
        done = command(app, *words)
        assert done.exit_code == 1
        assert done.output == "Error: There is no demo data in production (GATEWAY_ENV).\n"
    with app.app_context(), pytest.raises(ConfigError):
        demo_data.load()
    assert _count(production_settings, "SELECT count(*) FROM users") == 0


def test_a_demo_is_served_as_ever(demo_settings: dict[str, str]) -> None:
    app = loaded(demo_settings)
    installation.require_fit(app)
    assert _checks(app)["demo"] == "ok"
    assert command(app, "demo", "load").output == "0 demo users created.\n"


def test_readiness_says_when_demo_data_appears_later(
    production: Flask, production_settings: dict[str, str], redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """By a program that does not ask, such as a copy of the demo's rows."""
    assert _checks(production)["demo"] == "ok"
    donor = new_settings(redis_server, tmp_path)
    loaded(donor)
    with connection(donor, as_owner=True) as opened:
        ((row,),) = run(opened, "SELECT row_to_json(u) FROM users u WHERE email = 'operator@example.com'")
    copy = "INSERT INTO users SELECT * FROM json_populate_record(NULL::users, %s)"
    with connection(production_settings, as_owner=True) as opened:
        run(opened, copy, Json(row))
    problem = _checks(production)["demo"]
    assert "user operator@example.com" in problem and "flask demo purge" in problem
    assert command(production, "demo", "purge", "--yes").exit_code == 0
    assert _checks(production)["demo"] == "ok"


def test_a_demo_that_goes_on_beside_production_is_not_ready(
    demo_settings: dict[str, str], production_settings: dict[str, str]
) -> None:
    demo = loaded(demo_settings)
    with demo.app_context():
        purge.purge(operator=SYSTEM)
    installation.require_fit(create_app(production_settings))
    assert "stop this demo" in _checks(demo)["demo"]


def test_an_empty_database_is_anybody_s(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """Processes may start before the first migration; readiness says that it is missing."""
    name, postgres = f"empty_{secrets.token_hex(4)}", servers.postgres()
    postgres.create_database(name)
    urls = (postgres.url(APPLICATION, name), postgres.url(OWNER, name), redis_server.url())
    for mode in ("demo", "production"):
        app = create_app(servers.environment(*urls, mode=mode, var_dir=tmp_path, REALTIME="external"))
        installation.require_fit(app)


def test_production_is_not_served_from_what_cannot_be_looked_into(
    production_settings: dict[str, str],
) -> None:
    """Tables of an older version: whether they hold a demo's users is not known."""
    with connection(production_settings, as_owner=True) as opened:
        run(opened, "ALTER TABLE users RENAME COLUMN scopes TO rights")
    with pytest.raises(UnfitDatabase, match="flask db upgrade"):
        installation.require_fit(create_app(production_settings))


def test_a_database_that_is_away_is_waited_for(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """A restart of both at once: whether production may be served is known when the database answers."""
    name, postgres = f"late_{secrets.token_hex(4)}", servers.postgres()
    urls = (postgres.url(APPLICATION, name), postgres.url(OWNER, name), redis_server.url())
    app = create_app(servers.environment(*urls, mode="production", var_dir=tmp_path, REALTIME="external"))
    start = threading.Thread(target=installation.require_fit, args=(app,), daemon=True)
    start.start()
    start.join(1.0)
    assert start.is_alive(), "it went on without knowing"
    postgres.create_database(name, template=servers.TEMPLATE)
    wait_until(lambda: not start.is_alive(), "the process goes on")
    assert _count({"DATABASE_OWNER_URL": urls[1]}, MARKS) == 1

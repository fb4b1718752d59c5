"""`flask audit verify` names the first row that was altered, removed or cut off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.events import chain
from app.events.publisher import Publisher
from app.services.operator import audit as audit_log
from launcher.embedded import EmbeddedRedis
from tests.integration.events.conftest import fresh_app, fresh_settings
from tests.support.database import connection, run
from tests.support.event_log import record


@pytest.fixture(scope="module")
def log_settings(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    with fresh_settings(redis_server.url(), tmp_path_factory.mktemp("audit")) as settings:
        yield settings


@pytest.fixture(scope="module")
def log_app(log_settings: dict[str, str]) -> Iterator[Flask]:
    with fresh_app(log_settings) as app:
        yield app


@pytest.fixture(scope="module")
def written(log_app: Flask, log_settings: dict[str, str]) -> Iterator[Any]:
    """Ten events sealed with the installation's key, an anchor at the fifth and the last; triggers off for the owner."""
    key = log_app.config["AUDIT_KEY"].encode()
    with (
        connection(log_settings) as writer,
        connection(log_settings, is_autocommit=False) as opened,
        connection(log_settings, as_owner=True) as owner,
    ):
        publisher = Publisher(opened, key)
        for half in range(2):
            for step in range(5):
                record(writer, f"acc_{half}", step)
            assert publisher.publish(clock.now()) == 5
            ((seq, digest),) = run(writer, "SELECT seq, hmac FROM events ORDER BY seq DESC LIMIT 1")
            chain.write_anchor(_anchors(log_app), chain.Anchor(seq, bytes(digest)), datetime.now(UTC))
        run(owner, "ALTER TABLE events DISABLE TRIGGER insert_only; CREATE TABLE kept AS TABLE events")
        yield owner


@pytest.fixture
def log(written: Any) -> Any:
    """The same, whole again whatever the test before did."""
    run(written, "DELETE FROM events; INSERT INTO events TABLE kept")
    return written


def _anchors(app: Flask) -> Path:
    return Path(app.config["VAR_DIR"]) / "audit"


def _verify(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["audit", "verify", *arguments])
    return result.exit_code, result.output.strip()


@pytest.mark.usefixtures("log")
def test_a_whole_log_is_whole(log_app: Flask) -> None:
    assert _verify(log_app) == (0, "The event log is whole: 10 events.")


@pytest.mark.parametrize(
    "damage",
    [
        "data = '{\"step\": 99}'",
        "object_id = 'acc_other'",
        "actor = 'usr_somebody'",
        "actor = NULL",
        "type = 'x'",
        "address = '10.0.0.1'",
        "is_public = false",
        "at = at + interval '1 microsecond'",
        "hmac = sha256('')",
        "tenant_id = gen_random_uuid()",
    ],
)
def test_an_altered_row_is_named(log_app: Flask, log: Any, damage: str) -> None:
    """Breaks when a column is left out of the seal."""
    run(log, f"UPDATE events SET {damage} WHERE seq = 4")
    assert _verify(log_app) == (1, "Error: Event 4 is altered.")


def test_a_removed_row_is_named(log_app: Flask, log: Any) -> None:
    run(log, "DELETE FROM events WHERE seq = 6")
    assert _verify(log_app) == (1, "Error: Event 6 is missing.")


def test_a_removed_row_is_named_though_the_rest_was_renumbered(log_app: Flask, log: Any) -> None:
    run(log, "DELETE FROM events WHERE seq = 6")
    for seq in range(7, 11):
        run(log, "UPDATE events SET seq = seq - 1 WHERE seq = %s", seq)
    assert _verify(log_app) == (1, "Error: Event 6 is altered.")


def test_an_inserted_row_is_named(log_app: Flask, log: Any) -> None:
    run(
        log,
        "INSERT INTO events SELECT 11, tenant_id, type, object_id, actor, address, is_public, data, at, hmac "
        "FROM events WHERE seq = 10",
    )
    assert _verify(log_app) == (1, "Error: Event 11 is altered.")


def test_a_row_before_the_first_is_named(log_app: Flask, log: Any) -> None:
    run(
        log,
        "INSERT INTO events SELECT 0, tenant_id, type, object_id, actor, address, is_public, data, at, hmac "
        "FROM events WHERE seq = 1",
    )
    assert _verify(log_app)[0] == 1


@pytest.mark.parametrize("kept", [0, 5, 9])
def test_a_cut_tail_is_named_by_the_anchor(log_app: Flask, log: Any, kept: int) -> None:
    run(log, "DELETE FROM events WHERE seq > %s", kept)
    assert _verify(log_app, "--no-anchor")[0] == 0, "what the chain alone cannot see"
    assert _verify(log_app) == (1, f"Error: Event {kept + 1} is cut: an anchor saw row 10.")


def test_log_rewritten_with_the_key_is_detected_by_the_anchor(log_app: Flask, log: Any) -> None:
    """An insider with the key and the database changes row 3 and seals everything after it again."""
    run(log, "UPDATE events SET actor = 'usr_innocent' WHERE seq = 3")
    key, previous = log_app.config["AUDIT_KEY"].encode(), chain.GENESIS
    columns = "seq, tenant_id::text, type, object_id, actor, address, is_public, data::text, at"
    for row in run(log, f"SELECT {columns} FROM events ORDER BY seq"):
        previous = chain.seal(key, previous, chain.Link(*row))
        run(log, "UPDATE events SET hmac = %s WHERE seq = %s", previous, row[0])
    assert _verify(log_app, "--no-anchor")[0] == 0
    status, output = _verify(log_app)
    assert status == 1
    assert output.startswith("Error: Event 5 is altered")


@pytest.mark.usefixtures("log")
def test_another_key_finds_nothing_whole(log_app: Flask) -> None:
    with log_app.app_context():
        _, found = audit_log.verify("0" * 64, anchors=None)
    assert found == chain.Break(1, "altered")


@pytest.mark.usefixtures("log")
def test_pages_join_without_a_seam(log_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when a page begins one row late or twice."""
    for page in (1, 3, 5, 10, 11):
        monkeypatch.setattr(audit_log, "PAGE", page)
        assert _verify(log_app) == (0, "The event log is whole: 10 events.")

"""The log takes any text a database can hold, unchanged. Breaks when a character of COPY's format is not escaped."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app import clock
from app.events import chain
from app.events.publisher import Publisher
from tests.integration.events.conftest import KEY
from tests.support.database import connection

ODD = ["\\", "\\N", r"\.", "a\tb", "a\nb", "a\r\nb", "\\\\t", "\\x41", "'\"", "ł€😀", "\u2028", "", " "]


@pytest.fixture
def writer(log_settings: dict[str, str]) -> Any:
    with connection(log_settings) as opened:
        yield opened


@pytest.mark.parametrize("text", ODD)
def test_odd_text_arrives_as_it_was(writer: Any, relay_connection: Any, text: str) -> None:
    data = {"description": text, text: [text, None, True, 1]}
    with writer.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outbox (type, object_id, actor, address, is_public, data, at) "
            "VALUES ('user.registered', %s, %s, NULL, false, %s::jsonb, %s)",
            (text, text, orjson.dumps(data).decode(), clock.now()),
        )
    (event,) = Publisher(relay_connection, KEY).publish(clock.now())
    with writer.cursor() as cursor:
        cursor.execute(
            "SELECT object_id, actor, address, is_public, data, at, hmac, data::text, tenant_id FROM events"
        )
        object_id, actor, address, is_public, stored, at, digest, data_text, tenant_id = cursor.fetchone()
    assert (object_id, actor, address, is_public, stored, tenant_id) == (text, text, None, False, data, None)
    link = chain.Link(1, tenant_id, "user.registered", object_id, actor, address, is_public, data_text, at)
    assert chain.verify(KEY, [(link, bytes(digest))]) is None
    assert event.data == data

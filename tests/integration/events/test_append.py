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


def test_odd_texts_arrive_as_they_were(writer: Any, relay_connection: Any) -> None:
    publisher, links = Publisher(relay_connection, KEY), []
    for number, text in enumerate(ODD, 1):
        data = {"description": text, text: [text, None, True, 1]}
        with writer.cursor() as cursor:
            cursor.execute(
                "INSERT INTO outbox (type, object_id, actor, address, is_public, data, at) "
                "VALUES ('user.registered', %s, %s, NULL, false, %s::jsonb, %s)",
                (text, text, orjson.dumps(data).decode(), clock.now()),
            )
        assert publisher.publish(clock.now()) == 1
        with writer.cursor() as cursor:
            cursor.execute(
                "SELECT object_id, actor, address, is_public, data, at, hmac, data::text, tenant_id FROM events "
                "WHERE seq = %s",
                (number,),
            )
            object_id, actor, address, is_public, stored, at, digest, data_text, tenant_id = cursor.fetchone()
        assert (object_id, actor, address, is_public, stored, tenant_id) == (
            text,
            text,
            None,
            False,
            data,
            None,
        )
        link = chain.Link(
            number, tenant_id, "user.registered", object_id, actor, address, is_public, data_text, at
        )
        links.append((link, bytes(digest)))
    assert chain.verify(KEY, links) is None

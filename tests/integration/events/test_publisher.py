"""Outbox → log: no number missing, no event lost, each object's events in the order they were committed."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from app import clock
from app.events import publisher as module
from app.events.publisher import Publisher
from tests.integration.events.conftest import KEY
from tests.support.database import connection, run
from tests.support.event_log import numbers, published, record, steps
from tests.support.waiting import wait_until


@pytest.fixture
def publisher(relay_connection: Any) -> Publisher:
    """One that has caught up with what was there when it started."""
    made = Publisher(relay_connection, KEY)
    assert made.publish(clock.now()) == 0
    return made


def test_what_is_committed_is_published_once_and_in_order(publisher: Publisher, reader: Any) -> None:
    for step in range(5):
        record(reader, "acc_1", step)
    assert published(publisher, reader) == ["acc_1"] * 5
    assert published(publisher, reader) == []
    assert steps(reader) == {"acc_1": [0, 1, 2, 3, 4]}
    assert numbers(reader) == [1, 2, 3, 4, 5]
    assert run(reader, "SELECT FROM outbox") == []


def test_the_very_first_event_does_not_wait_for_the_sweep(publisher: Publisher, reader: Any) -> None:
    """An untouched sequence says last_value 1 though 1 was never given. Breaks when it is taken for a number seen."""
    record(reader, "acc_1", 0)
    assert published(publisher, reader) == ["acc_1"]


def test_second_event_of_a_new_installation_does_not_overtake_the_first(
    publisher: Publisher, reader: Any
) -> None:
    """Breaks with the same mistake: number 1 lies below the hint and is found a second later, behind number 2."""
    record(reader, "acc_1", 0)
    record(reader, "acc_1", 1)
    published(publisher, reader)
    assert steps(reader) == {"acc_1": [0, 1]}


def test_a_rolled_back_change_is_no_event(
    publisher: Publisher, reader: Any, log_settings: dict[str, str]
) -> None:
    with connection(log_settings, is_autocommit=False) as undone:
        record(undone, "acc_undone", 0)
        undone.rollback()
    record(reader, "acc_1", 0)
    assert published(publisher, reader) == ["acc_1"]
    assert numbers(reader) == [1]


def test_a_late_commit_does_not_swap_its_objects_events(
    publisher: Publisher, reader: Any, log_settings: dict[str, str]
) -> None:
    """A lower number commits after a higher one was published, then its object goes on: the lower comes first.

    Breaks when skipped numbers are not read again (`WHERE id > last`): step 0 comes after step 1, or never.
    """
    with connection(log_settings, is_autocommit=False) as slow:
        record(slow, "acc_slow", 0)
        record(reader, "acc_other", 0)
        assert published(publisher, reader) == ["acc_other"]
        slow.commit()
    record(reader, "acc_slow", 1)
    assert published(publisher, reader) == ["acc_slow", "acc_slow"]
    assert steps(reader) == {"acc_other": [0], "acc_slow": [0, 1]}


def test_several_skipped_numbers_of_several_objects(
    publisher: Publisher, reader: Any, log_settings: dict[str, str]
) -> None:
    with (
        connection(log_settings, is_autocommit=False) as first,
        connection(log_settings, is_autocommit=False) as second,
    ):
        record(first, "acc_a", 0)
        record(second, "acc_b", 0)
        record(reader, "acc_c", 0)
        assert published(publisher, reader) == ["acc_c"]
        second.commit()
        record(reader, "acc_b", 1)
        assert published(publisher, reader) == ["acc_b", "acc_b"]
        first.commit()
    record(reader, "acc_a", 1)
    published(publisher, reader)
    assert steps(reader) == {"acc_c": [0], "acc_b": [0, 1], "acc_a": [0, 1]}
    assert numbers(reader) == [1, 2, 3, 4, 5]


def test_skipped_number_is_found_by_the_sweep(
    publisher: Publisher, reader: Any, log_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks without the sweep: the row would stay in the outbox for ever."""
    monkeypatch.setattr(module, "SKIPPED_LIFE_S", 0.0)
    with connection(log_settings, is_autocommit=False) as slow:
        record(slow, "acc_slow", 0)
        record(reader, "acc_other", 0)
        published(publisher, reader)
        slow.commit()
    assert wait_until(lambda: published(publisher, reader), "a sweep") == ["acc_slow"]


def test_a_publisher_that_starts_between_two_commits_keeps_the_order(
    relay_connection: Any, reader: Any, log_settings: dict[str, str]
) -> None:
    """A transaction older than the publisher commits a number below its hint. Breaks without the time of catching up."""
    with connection(log_settings, is_autocommit=False) as slow:
        record(slow, "acc_slow", 0)
        record(reader, "acc_other", 0)
        publisher = Publisher(relay_connection, KEY)
        assert published(publisher, reader) == ["acc_other"]
        slow.commit()
    record(reader, "acc_slow", 1)
    published(publisher, reader)
    assert steps(reader)["acc_slow"] == [0, 1]


def test_a_long_outbox_is_taken_in_pieces_and_in_order(
    publisher: Publisher, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    for step in range(30):
        record(reader, f"acc_{step % 3}", step)
    pieces = []
    while taken := published(publisher, reader):
        pieces.append(len(taken))
    assert pieces == [7, 7, 7, 7, 2]
    assert steps(reader) == {f"acc_{n}": list(range(n, 30, 3)) for n in range(3)}


def test_a_publisher_that_dies_before_its_commit_published_nothing(
    log_settings: dict[str, str], reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when deleting, numbering and writing are not one transaction."""
    record(reader, "acc_1", 0)

    def die(*_: object, **__: object) -> None:
        raise psycopg2.OperationalError

    with connection(log_settings, is_autocommit=False) as first:
        dying = Publisher(first, KEY)
        with monkeypatch.context() as patch:
            patch.setattr(module, "append", die)
            with pytest.raises(psycopg2.OperationalError):
                dying.publish(clock.now())
    assert steps(reader) == {}
    with connection(log_settings, is_autocommit=False) as second:
        assert published(Publisher(second, KEY), reader) == ["acc_1"]
    assert numbers(reader) == [1]

"""Whatever order transactions open, commit and die in: each object's events are logged in its commit order, all of them.

Several connections insert into the outbox, each after locking its object as the application does; the publisher runs
in between, dies and starts again. Breaks when the publisher asks by `id > last` alone, forgets skipped numbers, or
does not catch up at its start.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app import clock
from app.events.publisher import Publisher
from launcher.embedded import APPLICATION, OWNER
from tests.support import servers
from tests.support.database import connection, run
from tests.support.event_log import numbers, record

SLOTS, OBJECTS = 4, 3
slots = st.integers(0, SLOTS - 1)
objects = st.integers(0, OBJECTS - 1)


class OutboxMachine(RuleBasedStateMachine):
    writers: ClassVar[list[Any]]
    reader: ClassVar[Any]
    relay: ClassVar[Any]

    @initialize()
    def begin(self) -> None:
        self.names = [f"acc_{uuid.uuid4().hex}" for _ in range(OBJECTS)]
        self.counts = [0] * OBJECTS
        self.committed: dict[str, list[int]] = {name: [] for name in self.names}
        self.pending: list[list[tuple[int, int]]] = [[] for _ in range(SLOTS)]
        self.holder: dict[int, int] = {}
        self.publisher = Publisher(self.relay, b"k" * 32)

    @rule(slot=slots, about=objects, count=st.integers(1, 3))
    def change(self, slot: int, about: int, count: int) -> None:
        """Lock the object and record its next steps; nothing while another transaction holds it."""
        if self.holder.setdefault(about, slot) != slot:
            return
        writer = self.writers[slot]
        run(writer, "SELECT pg_advisory_xact_lock(hashtext(%s))", self.names[about])
        for _ in range(count):
            record(writer, self.names[about], self.counts[about])
            self.pending[slot].append((about, self.counts[about]))
            self.counts[about] += 1

    @rule(slot=slots, is_lost=st.booleans() | st.just(False))
    def end(self, slot: int, is_lost: bool) -> None:
        if is_lost:
            self.writers[slot].rollback()
        else:
            self.writers[slot].commit()
            for about, step in self.pending[slot]:
                self.committed[self.names[about]].append(step)
        self.pending[slot] = []
        self.holder = {about: by for about, by in self.holder.items() if by != slot}

    @rule(slot=slots, about=objects, count=st.integers(1, 3))
    def change_and_commit(self, slot: int, about: int, count: int) -> None:
        self.change(slot, about, count)
        self.end(slot, is_lost=False)

    @rule()
    def publish(self) -> None:
        self.publisher.publish(clock.now())

    @rule()
    def another_relay_takes_over(self) -> None:
        self.publisher = Publisher(self.relay, b"k" * 32)

    @invariant()
    def what_is_logged_is_a_beginning_of_what_was_committed(self) -> None:
        for name, logged in self._logged().items():
            assert logged == self.committed[name][: len(logged)]

    def teardown(self) -> None:
        if not hasattr(self, "names"):
            return
        for slot in range(SLOTS):
            self.end(slot, is_lost=True)
        while self.publisher.publish(clock.now()):
            pass
        Publisher(self.relay, b"k" * 32).publish(clock.now())
        assert self._logged() == self.committed

    def _logged(self) -> dict[str, list[int]]:
        rows = run(
            self.reader,
            "SELECT object_id, (data->>'step')::int FROM events WHERE object_id = ANY (%s) ORDER BY seq",
            self.names,
        )
        found: dict[str, list[int]] = {name: [] for name in self.names}
        for name, step in rows:
            found[name].append(step)
        return found


@pytest.fixture
def event_log() -> Iterator[None]:
    """A log of its own and open connections to it."""
    postgres = servers.postgres()
    database = servers.new_database()
    settings = {
        "DATABASE_URL": postgres.url(APPLICATION, database),
        "DATABASE_OWNER_URL": postgres.url(OWNER, database),
    }
    with ExitStack() as stack:
        OutboxMachine.writers = [
            stack.enter_context(connection(settings, is_autocommit=False)) for _ in range(SLOTS)
        ]
        OutboxMachine.relay = stack.enter_context(connection(settings, is_autocommit=False))
        OutboxMachine.reader = stack.enter_context(connection(settings))
        yield
        seen = numbers(OutboxMachine.reader)
        assert seen == list(range(1, len(seen) + 1)), "a log without gaps"
        assert len(seen) > 150
    postgres.drop_database(database)


@pytest.mark.usefixtures("event_log")
def test_events_keep_their_objects_order() -> None:
    run_state_machine_as_test(
        OutboxMachine,
        settings=hypothesis_settings(max_examples=25, stateful_step_count=50, deadline=None, database=None),
    )

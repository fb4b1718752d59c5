"""What follows an event in the transaction that publishes it. The list is in app/services/reactions.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.events.catalogue import EventType
from app.events.chain import Link


@dataclass(frozen=True, slots=True)
class FollowUp:
    """An event that is published right after each event that causes it, about the same object.

    changes(now): members of its data that differ from the data of the first one; JSON-safe.
    """

    type: EventType
    changes: Callable[[datetime], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reaction:
    """react(cursor, events, now): runs once for each batch, with the events of one of `event_types` in the order of the log.

    It may change tables of the application, must not commit, and must be quick: the relay publishes nothing meanwhile.
    No event type has two follow-ups.
    """

    event_types: frozenset[EventType]
    react: Callable[[Any, Sequence[Link], datetime], None]
    follow_up: FollowUp | None = None

"""What adapters have in common when they read an answer: words, states, and what a refusal of a question means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.providers.environments import UNREADABLE
from app.providers.errors import Declined, NotSupported, OutcomeUnknown, RequestRejected, UnclearAnswer
from app.providers.facts import clean
from app.providers.values import State


@contextmanager
def question() -> Iterator[None]:
    """Inside, something is asked for that moves no money: where a charge stands, a list, a statement.

    A refused question says nothing about what was asked after, so a refusal becomes OutcomeUnknown: it never fails a
    payment, a refund or a payout.
    """
    try:
        yield
    except NotSupported:
        raise
    except (Declined, RequestRejected) as error:
        raise OutcomeUnknown(error.message, code=error.code, response=error.response) from error


def word(data: Mapping[str, Any], name: str) -> str | None:
    """An id or a word as a text (ids exceed 32 bits); None when there is none."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return clean(str(value)).strip() or None


def state_of(table: Mapping[str, State], status: object, *, provider: str) -> State:
    """The state behind a provider's word, in any case. Raises UnclearAnswer for a word that is not in the table."""
    state = table.get(status.strip().lower()) if isinstance(status, str) else None
    if state is None:
        raise UnclearAnswer(f"{provider} uses a status this gateway does not know.", code="unknown_status")
    return state


def environment_of(data: Mapping[str, Any], member: str, words: Mapping[str, str]) -> str | None:
    """The environment that a member names, by a table of the provider's words; None when the member is absent or null."""
    status = data.get(member)
    if status is None:
        return None
    return words.get(status.strip().lower(), UNREADABLE) if isinstance(status, str) else UNREADABLE


def require_reference(reported: object, ours: str | None, *, provider: str) -> None:
    """Raises OutcomeUnknown for an answer about another reference."""
    if reported != ours:
        raise OutcomeUnknown(f"{provider} answered about another reference.", code="other_reference")

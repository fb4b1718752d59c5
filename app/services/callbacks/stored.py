"""A stored callback (process.py): what it says, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import update

from app import clock
from app.models.provider_event import ProviderEvent, ProviderEventState
from app.providers.base import Callback, CallbackEvent, Kind
from app.providers.errors import CallbackError
from app.queue import Ended, LeasedJob
from app.services.provider_access import accounts as provider_accounts
from app.services.write_sets.rows import row_of
from app.unit_of_work import call, transaction

APPLIED: Final = "applied"
NOT_CONFIRMED: Final = "not confirmed yet"
"""Results of callbacks that were processed: the provider confirms what was reported; it did not, however often it was queried."""


@dataclass(slots=True)
class Processing:
    """A stored callback with the job that processes it. is_closed: a write set has ended them both."""

    event: ProviderEvent
    job: LeasedJob
    is_closed: bool = False

    def closing(
        self, state: ProviderEventState, result: str | None, payment_id: uuid.UUID | None
    ) -> Mapping[str, Any]:
        """What ends them both, for write_set_apply."""
        return {
            "id": self.event.id,
            "repeats": self.event.repeats,
            "state": state,
            "result": result,
            "payment_id": payment_id,
            "job": self.job.id,
            "fence": self.job.fence,
        }

    def close(self, state: ProviderEventState, result: str | None, payment_id: uuid.UUID | None) -> Ended:
        """End them both, where nothing else changes."""
        closing = self.closing(state, result, payment_id)
        call(
            "callback_close(%s, %s::uuid, %s, %s, %s, %s::uuid, %s::uuid, %s)",
            clock.now(),
            *(str(one) if isinstance(one, uuid.UUID) else one for one in closing.values()),
        )
        return Ended.ENDED


def event_of(row: Mapping[str, Any]) -> ProviderEvent:
    """A row of provider_events, as job_lease returns it."""
    event: ProviderEvent = row_of(ProviderEvent, row)
    event.body = bytes.fromhex(row["body"].removeprefix("\\x"))
    return event


def parse_again(event: ProviderEvent) -> CallbackEvent:
    """The callback, parsed from its stored bytes; whether it is verified was decided when it was received."""
    provider = provider_accounts.of_account(event.provider, event.account_id)
    callback = Callback(event.method, event.headers, event.query, bytes(event.body))
    try:
        parsed = provider.read_callback(callback)
    except CallbackError:
        # The signature is too old by now, or the secret was changed: it was verified when it was received.
        kind = Kind(event.kind)
        parsed = CallbackEvent(
            event.provider_event_id, kind, event.event_type, event.reference, event.provider_reference
        )
    return replace(parsed, is_verified=event.is_verified)


def count_confirmation(event_id: uuid.UUID) -> None:
    """The provider was queried once more for its sake."""
    transaction(
        lambda s: s.execute(
            update(ProviderEvent)
            .where(ProviderEvent.id == event_id)
            .values(confirmations=ProviderEvent.confirmations + 1)
        )
    )

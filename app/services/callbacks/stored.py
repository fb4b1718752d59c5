"""A stored callback (process.py): what it says, and what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.models.provider_event import ProviderEvent
from app.providers.base import Callback, CallbackEvent, Kind
from app.providers.errors import CallbackError
from app.services.provider_access import accounts as provider_accounts

APPLIED: Final = "applied"
NOT_CONFIRMED: Final = "not confirmed yet"
"""Results of callbacks that were processed: the provider confirms what was reported; it did not, however often it was queried."""


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

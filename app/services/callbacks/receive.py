"""Receives callbacks from providers: verifies, stores and acknowledges them as the provider expects.

Guarantees: a callback is stored before it is acknowledged, once however often it is repeated; one with a forged signature
changes nothing and is not stored. What nothing vouches for takes a bounded space. process.py processes them.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import ForgedCallbackRefused, InvalidRequest, NotFound
from app.json_text import json_text
from app.models.job import JobKind
from app.models.provider_event import ProviderEventState
from app.providers import NAMES
from app.providers.base import Acknowledgement, Callback, CallbackEvent, Kind, Provider
from app.providers.errors import ForgedCallback, InvalidCallback
from app.services.callbacks import addresses
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import callback_tokens
from app.unit_of_work import call, transaction

SWEEP_EVERY: Final = timedelta(days=1)

UNMATCHED_RETENTION: Final = timedelta(days=7)
"""Unsigned callbacks about nothing of ours are deleted so long after they were received."""

PLATFORM_SCOPE: Final = "platform"
"""The scope of callbacks to the platform's own accounts."""

UNREADABLE: Final = "unreadable"
"""The type of an event whose body the adapter cannot read."""

MAX_WORD: Final = 255
MAX_UNSIGNED_BYTES: Final = 16_384
"""Body, query and stored headers of a callback that nothing vouches for, together; a longer one is refused."""

REPEAT_PAUSE_S: Final = 5
"""A repeated unsigned callback makes the gateway query the provider again at most this often."""

HINT_DELAY_S: Final = 1
"""So long an unsigned callback of a provider that signs its callbacks waits: it mostly comes with a signed one, which settles it."""

MAX_UNMATCHED: Final = 256
"""Callbacks about nothing of ours that are stored for each provider, where nothing vouches for them: 4 MiB."""

MAX_UNSIGNED_OF_ATTEMPT: Final = 20
"""Callbacks about one attempt that are stored where nothing vouches for them (its payer knows the reference, too): 320 KiB."""

UNSIGNED_LIFE: Final = timedelta(hours=1)
"""So long those are safe from newer ones, which otherwise replace the oldest. It bounds what is written, too: the write-ahead log is
archived."""

STORED_HEADERS: Final = frozenset({"content-type", "user-agent"})
"""Stored with every callback, beside the headers that the provider's adapter reads (`callback_headers`)."""

log = structlog.get_logger("callbacks")


@dataclass(frozen=True, slots=True)
class _Owner:
    """The provider account whose URL a callback was sent to. scope: what its event ids are unique in. path_token: what its row
    holds of the URL's secret end. is_operation: the URL is that of one payment or refund."""

    provider: Provider
    account_id: uuid.UUID | None
    scope: str
    path_token: str | None = None
    is_operation: bool = False


def receive(
    name: str, path_token: str | None, callback: Callback, *, address: str | None = None
) -> Acknowledgement:
    """Store a callback and have it processed. Raises NotFound, ForgedCallbackRefused, InvalidRequest: nothing stored.

    One that cannot be read is stored too where it certainly is the provider's: it is signed, or came to an operation's secret
    URL. Most providers repeat what is refused, and the operation is worth a query in any case.
    """
    adapter = NAMES.get(name)
    if adapter is None:
        raise NotFound("There is no such provider.")
    name = adapter.name
    owner = _owner(name, path_token)
    addresses.require_accepted(owner.provider, address)
    event = _read(owner, callback)
    is_vouched = event.is_verified or owner.is_operation
    if not is_vouched and _size(owner.provider, callback) > MAX_UNSIGNED_BYTES:
        raise InvalidRequest("The callback is not signed, and too long.")
    if not _store(owner, callback, event):
        log.warning("callback.not_stored", provider=name)
    return owner.provider.acknowledge(event)


def _read(owner: _Owner, callback: Callback) -> CallbackEvent:
    """Raises ForgedCallbackRefused, InvalidRequest."""
    try:
        event = owner.provider.read_callback(callback)
        _require_storable(event)
        return event
    except ForgedCallback as error:
        log.warning("callback.forged", provider=owner.provider.name)
        raise ForgedCallbackRefused from error
    except InvalidCallback as error:
        if not (error.is_verified or owner.is_operation):
            raise InvalidRequest(error.message) from error
        log.warning("callback.unreadable", provider=owner.provider.name, error=error.code)
        kind = Kind.PAYMENT if owner.is_operation else Kind.OTHER
        digest = hashlib.sha256(callback.body).hexdigest()
        return CallbackEvent(f"unreadable:{digest}", kind, UNREADABLE, is_verified=error.is_verified)


def _require_storable(event: CallbackEvent) -> None:
    """Ids must be short and printable. Raises InvalidCallback."""
    for word in (event.event_id, event.event_type, event.reference, event.provider_reference):
        if word is not None and (len(word) > MAX_WORD or not word.isprintable()):
            error = InvalidCallback("An id in the callback is too long, or not printable.")
            error.is_verified = event.is_verified
            raise error


def _owner(name: str, token: str | None) -> _Owner:
    """The provider account a URL belongs to: the platform's, a tenant's own, or that of one payment or refund."""
    if token is None:
        return _Owner(provider_accounts.any_account(name), None, PLATFORM_SCOPE)
    digest = callback_tokens.digest(token)
    stored, is_operation, account_id = call("callback_url_owner(%s, %s, %s)", name, token, digest)
    if stored is None:
        raise NotFound("There is no such callback address.")
    scope = f"token:{stored}" if is_operation else str(account_id)
    provider = provider_accounts.of_account(name, account_id)
    return _Owner(provider, account_id, scope, stored, is_operation=is_operation)


def _store(owner: _Owner, callback: Callback, event: CallbackEvent) -> bool:
    """Whether it is stored: always, where it is signed or came to an operation's secret URL. Else only where there is room."""
    now = clock.now()
    is_hint = owner.provider.capabilities.signs_callbacks and not event.is_verified
    arguments = (
        now,
        json_text(_row(owner, callback, event, now=now)),
        callback.body,
        str(ids.uuid7()),
        timedelta(seconds=HINT_DELAY_S if is_hint else 0),
        timedelta(seconds=REPEAT_PAUSE_S),
    )
    if event.is_verified or owner.is_operation:
        call("callback_store(%s, %s, %s, %s::uuid, %s, %s)", *arguments)
        return True
    bounds = (MAX_UNSIGNED_OF_ATTEMPT, MAX_UNMATCHED, now - UNSIGNED_LIFE)
    function = "callback_store_unsigned(%s, %s, %s, %s::uuid, %s, %s, %s, %s, %s)"
    (is_stored,) = call(function, *arguments, *bounds)
    return bool(is_stored)


def _row(owner: _Owner, callback: Callback, event: CallbackEvent, *, now: datetime) -> dict[str, Any]:
    """A row of provider_events, without its body."""
    return {
        "id": ids.uuid7(),
        "provider": owner.provider.name,
        "scope": owner.scope,
        "provider_event_id": event.event_id[:255],
        "event_type": event.event_type[:100],
        "kind": event.kind.value,
        "is_verified": event.is_verified,
        "reference": event.reference,
        "provider_reference": event.provider_reference,
        "path_token": owner.path_token,
        "account_id": owner.account_id,
        "method": callback.method,
        "query": dict(callback.query),
        "headers": _kept(owner.provider, callback),
        "state": ProviderEventState.RECEIVED,
        "repeats": 0,
        "confirmations": 0,
        "received_at": now,
    }


def _size(provider: Provider, callback: Callback) -> int:
    """In bytes, of what is stored."""
    return len(callback.body) + len(json_text([dict(callback.query), _kept(provider, callback)]).encode())


def _kept(provider: Provider, callback: Callback) -> dict[str, str]:
    names = STORED_HEADERS | provider.callback_headers
    return {name: value for name, value in callback.headers.items() if name in names}


def sweep() -> datetime:
    """Delete old unmatched callbacks and their jobs; when to run again."""
    now = clock.now()
    if clock.may_judge_ages():
        transaction(lambda session: _delete_unmatched(session, now - UNMATCHED_RETENTION))
    return now + SWEEP_EVERY


def _delete_unmatched(session: Session, until: datetime) -> None:
    gone = text(
        "DELETE FROM provider_events WHERE state = 'ignored' AND NOT is_verified AND received_at < :until "
        "RETURNING id::text"
    )
    refs = list(session.scalars(gone, {"until": until}))
    session.execute(
        text("DELETE FROM jobs WHERE kind = :kind AND ref = ANY(:refs)"),
        {"kind": JobKind.PROVIDER_EVENT_PROCESS, "refs": refs},
    )

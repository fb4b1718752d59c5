"""Receives callbacks from providers: verifies, stores and acknowledges them as the provider expects.

Guarantees: a callback is stored before it is acknowledged, once however often it is repeated; one with a forged signature
changes nothing and is not stored. process.py processes them.
"""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids, queue
from app.errors import ForgedCallbackRefused, InvalidRequest, NotFound
from app.models.job import JobKind
from app.models.payment import PaymentAttempt, Refund
from app.models.provider_event import ProviderEvent, ProviderEventState
from app.providers import NAMES
from app.providers.base import Acknowledgement, Callback, CallbackEvent, Kind, Provider
from app.providers.errors import ForgedCallback, InvalidCallback
from app.services.callbacks import addresses
from app.services.provider_access import accounts as provider_accounts
from app.unit_of_work import reading, transaction

SWEEP_EVERY: Final = timedelta(days=1)

UNMATCHED_RETENTION: Final = timedelta(days=7)
"""Unsigned callbacks about nothing of ours are deleted so long after they were received."""

PLATFORM_SCOPE: Final = "platform"
"""The scope of callbacks to the platform's own accounts."""

UNREADABLE: Final = "unreadable"
"""The type of an event whose body the adapter cannot read."""

MAX_WORD: Final = 255
MAX_UNSIGNED_BYTES: Final = 16_384

REPEAT_PAUSE_S: Final = 5
"""A repeated unsigned callback makes the gateway query the provider again at most this often."""

MAX_UNMATCHED_PER_MINUTE: Final = 60
"""Unsigned callbacks about nothing of ours that are stored, for each provider in each process; more are acknowledged
and not stored, so that invented references cannot fill the database."""

MAX_UNSIGNED_PER_MINUTE: Final = 20
"""Unsigned callbacks about one payment that are stored, in each process: its payer knows the reference too."""

STORED_HEADERS: Final = frozenset({"content-type", "user-agent"})
"""Stored with every callback, beside the headers that the provider's adapter reads (`callback_headers`)."""

log = structlog.get_logger("callbacks")


@dataclass(frozen=True, slots=True)
class _Owner:
    """The provider account whose URL a callback was sent to. scope: what its event ids are unique in. is_operation: the URL
    is that of one payment or refund."""

    provider: Provider
    account_id: uuid.UUID | None
    scope: str
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
    if not event.is_verified and len(callback.body) > MAX_UNSIGNED_BYTES:
        raise InvalidRequest("The callback is not signed, and too long.")
    if event.is_verified or path_token is not None or _may_store(name, event):
        transaction(lambda s: _store(s, owner, path_token, callback, event))
    else:
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


class _UnsignedCounts:
    """Counts unsigned callbacks by the minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[tuple[str, uuid.UUID | None]] = Counter()

    def admit(self, provider: str, attempt_id: uuid.UUID | None) -> bool:
        """Whether one more may be stored. attempt_id: what it is about; None: it is unmatched."""
        most = MAX_UNMATCHED_PER_MINUTE if attempt_id is None else MAX_UNSIGNED_PER_MINUTE
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._counts.clear()
            self._counts[provider, attempt_id] += 1
            return self._counts[provider, attempt_id] <= most


_unsigned: Final = _UnsignedCounts()


def _may_store(name: str, event: CallbackEvent) -> bool:
    return _unsigned.admit(name, _known(name, event))


def _known(name: str, event: CallbackEvent) -> uuid.UUID | None:
    """The attempt that one of the callback's references belongs to. Each of these columns has an index."""
    ways = (
        (PaymentAttempt.reference, event.reference),
        (PaymentAttempt.provider_reference, event.provider_reference),
        (PaymentAttempt.receipt, event.provider_reference),
    )
    ours = select(PaymentAttempt.id).where(PaymentAttempt.provider == name).limit(1)
    with reading() as session:
        found = (session.scalars(ours.where(column == value)).first() for column, value in ways if value)
        return next((attempt_id for attempt_id in found if attempt_id is not None), None)


def _owner(name: str, token: str | None) -> _Owner:
    """The provider account a URL belongs to: the platform's, a tenant's own, or that of one payment or refund."""
    if token is None:
        return _Owner(provider_accounts.any_account(name), None, PLATFORM_SCOPE)
    account_id = provider_accounts.by_callback_token(name, token)
    if account_id is not None:
        return _Owner(provider_accounts.of_account(name, account_id), account_id, str(account_id))
    with reading() as session:
        attempt = _attempt_by_token(session, name, token)
    if attempt is None:
        raise NotFound("There is no such callback address.")
    provider = provider_accounts.of_account(name, attempt.account_id)
    return _Owner(provider, attempt.account_id, f"token:{token}", is_operation=True)


def _attempt_by_token(session: Session, name: str, token: str) -> PaymentAttempt | None:
    """The attempt, or the collecting attempt of the refund, whose callback URL ends so."""
    refund_attempt = select(Refund.attempt_id).where(Refund.callback_token == token)
    wanted = select(PaymentAttempt).where(
        PaymentAttempt.provider == name,
        or_(PaymentAttempt.callback_token == token, PaymentAttempt.id.in_(refund_attempt)),
    )
    return session.scalars(wanted).one_or_none()


def _store(
    session: Session, owner: _Owner, path_token: str | None, callback: Callback, event: CallbackEvent
) -> None:
    now, event_id = clock.now(), ids.uuid7()
    run_at = now
    inserted = session.execute(
        insert(ProviderEvent)
        .values(
            id=event_id,
            provider=owner.provider.name,
            scope=owner.scope,
            provider_event_id=event.event_id[:255],
            event_type=event.event_type[:100],
            kind=event.kind.value,
            is_verified=event.is_verified,
            reference=event.reference,
            provider_reference=event.provider_reference,
            path_token=path_token,
            account_id=owner.account_id,
            method=callback.method,
            query=dict(callback.query),
            headers=_kept(owner.provider, callback),
            body=callback.body,
            state=ProviderEventState.RECEIVED,
            repeats=0,
            confirmations=0,
            received_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ProviderEvent.id)
    ).first()
    if inserted is None:
        known = session.scalars(
            select(ProviderEvent)
            .where(
                ProviderEvent.provider == owner.provider.name,
                ProviderEvent.scope == owner.scope,
                ProviderEvent.provider_event_id == event.event_id[:255],
            )
            .with_for_update(key_share=True)
        ).one()
        known.repeats += 1
        is_proof = event.is_verified and not known.is_verified
        if is_proof:
            # The same callback was received without a signature before: the signed one replaces it.
            known.is_verified, known.body, known.method = True, callback.body, callback.method
            known.headers, known.query = _kept(owner.provider, callback), dict(callback.query)
            known.kind, known.event_type = event.kind.value, event.event_type
            known.reference, known.provider_reference = event.reference, event.provider_reference
        elif event.is_verified or known.state == ProviderEventState.RECEIVED:
            return
        # An unsigned callback is the same for every change: each is a reason to query again.
        known.state, known.confirmations, event_id = ProviderEventState.RECEIVED, 0, known.id
        if not is_proof and known.processed_at is not None:
            run_at = max(now, known.processed_at + timedelta(seconds=REPEAT_PAUSE_S))
    queue.requeue(session, JobKind.PROVIDER_EVENT_PROCESS, ref=str(event_id), run_at=run_at, now=now)
    if not event.is_verified:
        queue.requeue(session, JobKind.PROVIDER_EVENT_SWEEP, ref="daily", run_at=now + SWEEP_EVERY, now=now)


def _kept(provider: Provider, callback: Callback) -> dict[str, str]:
    names = STORED_HEADERS | provider.callback_headers
    return {name: value for name, value in callback.headers.items() if name in names}


def sweep() -> datetime | None:
    """Delete old unmatched callbacks and their jobs; when to run again, None when none are left."""
    now = clock.now()

    def work(session: Session) -> bool:
        gone = text(
            "DELETE FROM provider_events WHERE state = 'ignored' AND NOT is_verified AND received_at < :until "
            "RETURNING id::text"
        )
        refs = list(session.scalars(gone, {"until": now - UNMATCHED_RETENTION}))
        session.execute(
            text("DELETE FROM jobs WHERE kind = :kind AND ref = ANY(:refs)"),
            {"kind": JobKind.PROVIDER_EVENT_PROCESS, "refs": refs},
        )
        left = text("SELECT EXISTS (SELECT FROM provider_events WHERE state = 'ignored' AND NOT is_verified)")
        return bool(session.scalar(left))

    return now + SWEEP_EVERY if transaction(work) else None

"""What Socket.IO clients may see, and its present state, read from the database.

Guarantees: a snapshot is the payment's last published event, so a client can compare it with pushes by `sequence`;
only a payment that is not in the log yet is shown from its own row, as it began (pending) and with no sequence.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, or_, select

from app import clock, ids
from app.clock import iso_z
from app.errors import NotFound
from app.events.catalogue import CREDENTIAL_ENDING_EVENTS, EventType
from app.events.payloads import payment_payload
from app.events.push_messages import PUSHED_EVENTS, PushMessage, push_of
from app.models.account import Account
from app.models.event import Event
from app.models.payment import Payment, PaymentStatus
from app.models.tenant import ApiKey, Tenant
from app.models.user import User, UserSession
from app.models.wallet_payment import WalletPayment
from app.services.tenants import api_keys
from app.unit_of_work import reading


@dataclass(frozen=True, slots=True)
class WatchedPayment:
    """A payment that a client wants to watch: its parties, and what it looks like while it is in no event.

    parties: the users it is between (wallet payments). tenant_id: the merchant it is for (provider payments).
    """

    parties: frozenset[uuid.UUID]
    tenant_id: uuid.UUID | None
    unpublished: PushMessage


def find_payment(public_id: str) -> WatchedPayment:
    """The payment of an id that clients see: `pmt_…`, or a provider payment's UUID. Raises NotFound."""
    if (payment_id := provider_payment_id(public_id)) is not None:
        return _provider_payment(payment_id)
    if (wallet_payment_id := ids.parse(ids.PAYMENT, public_id)) is not None:
        return _wallet_payment(wallet_payment_id)
    raise NotFound("Transaction not found.")


def provider_payment_id(public_id: str) -> uuid.UUID | None:
    """The UUID, when the text is one in its only spelling here: lower case, with dashes."""
    try:
        value = uuid.UUID(public_id)
    except ValueError:
        return None
    return value if str(value) == public_id else None


def _provider_payment(payment_id: uuid.UUID) -> WatchedPayment:
    with reading() as session:
        payment = session.get(Payment, payment_id)
    if payment is None:
        raise NotFound("Transaction not found.")
    return WatchedPayment(frozenset(), payment.tenant_id, _as_initiated(payment))


def _wallet_payment(payment_id: uuid.UUID) -> WatchedPayment:
    with reading() as session:
        row = session.execute(
            select(WalletPayment, Account.public_id)
            .join(Account, Account.id == WalletPayment.destination_id)
            .where(WalletPayment.id == payment_id)
        ).first()
    if row is None:
        raise NotFound("Transaction not found.")
    payment, destination_wallet_id = row
    parties = frozenset((payment.sender_id, payment.recipient_id))
    return WatchedPayment(parties, None, _as_pending(payment, destination_wallet_id))


def last_push(public_id: str) -> PushMessage | None:
    """The push of the payment's last published event; None when there is none yet."""
    with reading() as session:
        own = _EVENTS.where(Event.object_id == public_id, Event.type.in_(PUSHED_EVENTS))
        query = own.order_by(Event.seq.desc()).limit(1)
        row = session.execute(query).first()
    return _as_push(row) if row else None


def last_sequence() -> int:
    """The number of the last event in the log; 0 when it is empty."""
    with reading() as session:
        return session.scalar(select(Event.seq).order_by(Event.seq.desc()).limit(1)) or 0


def pushes_after(sequence: int, *, limit: int) -> tuple[list[PushMessage], int]:
    """The pushes of the next `limit` events behind `sequence`, in order, and the last of those events' numbers."""
    with reading() as session:
        rows = session.execute(_EVENTS.where(Event.seq > sequence).order_by(Event.seq).limit(limit)).all()
    pushes = [push for row in rows if (push := _as_push(row)) is not None]
    return pushes, rows[-1].seq if rows else sequence


def live_sessions(session_ids: Collection[uuid.UUID], *, now: datetime) -> set[uuid.UUID]:
    """Those of the sessions that are neither revoked nor over and whose user is active."""
    query = (
        select(UserSession.id)
        .join(User, User.id == UserSession.user_id)
        .where(
            UserSession.id.in_(session_ids),
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            User.is_active,
        )
    )
    with reading() as session:
        return set(session.scalars(query))


def live_keys(key_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the API keys that are accepted now."""
    query = (
        select(ApiKey.id)
        .join(Tenant, Tenant.id == ApiKey.tenant_id)
        .where(ApiKey.id.in_(key_ids), api_keys.is_good(clock.now()))
    )
    with reading() as session:
        return set(session.scalars(query))


_EVENTS: Select[Any] = select(Event.seq, Event.type, Event.object_id, Event.data, Event.at, Event.hmac).where(
    or_(Event.is_public, Event.type.in_(CREDENTIAL_ENDING_EVENTS))
)


def _as_push(row: Row[Any]) -> PushMessage | None:
    event_id = "evt_" + bytes(row.hmac)[:12].hex()
    return push_of(row.type, row.object_id, row.data, at=row.at, event_id=event_id, sequence=row.seq)


def _as_pending(payment: WalletPayment, destination_wallet_id: str) -> PushMessage:
    """What app/services/wallets/sql/wallet_pay.sql puts into the outbox, from the payment's row."""
    data = {
        "amount_minor": payment.amount,
        "currency": payment.currency,
        "status": "pending",
        "transaction_id": payment.transaction_id,
        "sender": ids.public(ids.USER, payment.sender_id),
        "recipient": ids.public(ids.USER, payment.recipient_id),
        "source_wallet_id": payment.source,
        "destination_wallet_id": destination_wallet_id,
        "destination": payment.destination,
        "description": payment.description,
        "metadata": payment.payment_metadata,
    }
    push = push_of(
        EventType.WALLET_PAYMENT_PENDING,
        payment.public_id,
        data,
        at=payment.created_at,
        event_id=None,
        sequence=None,
    )
    assert push is not None, "a wallet payment's event is always pushed"
    return push


def _as_initiated(payment: Payment) -> PushMessage:
    """What the payment's first event will say: whatever became of it since comes with the events that follow."""
    first: dict[str, Any] = {
        "status": PaymentStatus.PENDING,
        "provider_transaction_id": None,
        "payment_url": None,
        "failure_code": None,
        "failure_reason": None,
        "reviews": [],
        "refunded_minor": 0,
        "updated_at": iso_z(payment.created_at),
        "completed_at": None,
    }
    push = push_of(
        EventType.PAYMENT_INITIATED,
        str(payment.id),
        payment_payload(payment) | first,
        at=payment.created_at,
        event_id=None,
        sequence=None,
    )
    assert push is not None, "a provider payment's event is always pushed"
    return push

"""Ends the use of a demo's data, for a database that is to serve production: `flask demo purge`.

Guarantees: no credential that the demo published is accepted afterwards; nothing is deleted, since ledger and event log are
insert-only; each change is an event with the operator as its actor; doing it again changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app import clock, ids, ledger
from app.events import outbox
from app.events.catalogue import EventType
from app.models.account import Account
from app.models.payment import Payment
from app.models.tenant import ApiKey, ProviderAccount, Tenant
from app.models.user import User, UserSession
from app.principal import Principal
from app.services.demo import detection
from app.services.demo.objects import TENANT_IDS
from app.services.identity.passwords import UNUSABLE
from app.services.payments.states import FINAL_PAYMENTS
from app.unit_of_work import reading, transaction

REASON = "demo_purged"


@dataclass(frozen=True, slots=True)
class Purged:
    """How much of each kind was ended."""

    users: int
    sessions: int
    tenants: int
    api_keys: int
    oauth_clients: int
    provider_accounts: int
    wallets: int

    @property
    def is_nothing(self) -> bool:
        return not any(astuple(self))


@dataclass(frozen=True, slots=True)
class Left:
    """What a purge does not touch. users, tenants: others, who may have come while this was a demo. open_payments: of the demo's
    tenants, at simulators or sandboxes."""

    users: int
    tenants: int
    open_payments: int


def purge(*, operator: Principal) -> Purged:
    """Disable the demo's users, suspend its tenants, end its keys, applications, sessions and provider accounts, freeze its wallets."""
    now = clock.now()

    def work(session: Session) -> Purged:
        users = detection.users(session, is_locked=True)
        return Purged(
            users=sum(_disable(session, user, operator=operator, now=now) for user in users),
            sessions=_end_sessions(session, users, now=now),
            tenants=_suspend(session, operator=operator, now=now),
            api_keys=_revoke_keys(session, operator=operator, now=now),
            oauth_clients=_disable_clients(session, operator=operator, now=now),
            provider_accounts=_remove_provider_accounts(session, operator=operator, now=now),
            wallets=_freeze(session, users, operator=operator, now=now),
        )

    return transaction(work)


def left() -> Left:
    """What an operator should check before and after."""
    open_payments = select(func.count()).where(
        Payment.tenant_id.in_(TENANT_IDS), Payment.status.not_in(FINAL_PAYMENTS)
    )
    with reading() as session:
        demo = [user.id for user in detection.users(session)]
        return Left(
            users=session.scalar(select(func.count()).select_from(User).where(User.id.not_in(demo))) or 0,
            tenants=session.scalar(
                select(func.count()).select_from(Tenant).where(Tenant.id.not_in(TENANT_IDS))
            )
            or 0,
            open_payments=session.scalar(open_payments) or 0,
        )


def _disable(session: Session, user: User, *, operator: Principal, now: datetime) -> bool:
    if not detection.is_usable(user):
        return False
    public_id = ids.public(ids.USER, user.id)
    for scope in user.scopes:
        _record(
            session, EventType.USER_SCOPE_REVOKED, public_id, {"scope": scope}, operator=operator, now=now
        )
    user.is_active, user.scopes, user.password_hash = False, [], UNUSABLE
    _record(session, EventType.USER_DISABLED, public_id, {"reason": REASON}, operator=operator, now=now)
    return True


def _end_sessions(session: Session, users: Sequence[User], *, now: datetime) -> int:
    """The users are disabled, which ends their sessions; revoked, they stay so whatever becomes of the users."""
    ended = session.scalars(
        update(UserSession)
        .where(UserSession.user_id.in_([user.id for user in users]), UserSession.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(UserSession.id)
    )
    return len(ended.all())


def _suspend(session: Session, *, operator: Principal, now: datetime) -> int:
    wanted = select(Tenant).where(Tenant.id.in_(TENANT_IDS), Tenant.is_active).order_by(Tenant.id)
    tenants = session.scalars(wanted.with_for_update(key_share=True)).all()
    for tenant in tenants:
        tenant.is_active = False
        facts = {"reason": REASON}
        _record_of_tenant(session, EventType.TENANT_SUSPENDED, tenant.id, facts, operator=operator, now=now)
    return len(tenants)


def _revoke_keys(session: Session, *, operator: Principal, now: datetime) -> int:
    is_demo = or_(ApiKey.tenant_id.in_(TENANT_IDS), ApiKey.prefix.in_(detection.KEY_PREFIXES))
    ended = session.execute(
        update(ApiKey)
        .where(is_demo, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiKey.prefix, ApiKey.tenant_id)
    ).all()
    for row in ended:
        _record_of_tenant(
            session,
            EventType.API_KEY_REVOKED,
            row.tenant_id,
            {"prefix": row.prefix},
            operator=operator,
            now=now,
        )
    return len(ended)


def _disable_clients(session: Session, *, operator: Principal, now: datetime) -> int:
    """Applications with published secrets; their tokens end with them."""
    found = detection.oauth_clients(session)
    for client in found:
        client.disabled_at = now
        facts = {"client_id": client.client_id, "reason": REASON}
        _record_of_tenant(
            session, EventType.OAUTH_CLIENT_DISABLED, client.tenant_id, facts, operator=operator, now=now
        )
    return len(found)


def _remove_provider_accounts(session: Session, *, operator: Principal, now: datetime) -> int:
    """Rows stay for what was begun on them; none is used for new payments."""
    ended = session.execute(
        update(ProviderAccount)
        .where(ProviderAccount.tenant_id.in_(TENANT_IDS), ProviderAccount.is_active)
        .values(is_active=False)
        .returning(ProviderAccount.id, ProviderAccount.tenant_id, ProviderAccount.provider)
    ).all()
    for row in ended:
        facts = {"provider": row.provider}
        _record(
            session,
            EventType.PROVIDER_ACCOUNT_REMOVED,
            str(row.id),
            facts,
            operator=operator,
            now=now,
            tenant_id=row.tenant_id,
        )
    return len(ended)


def _freeze(session: Session, users: Sequence[User], *, operator: Principal, now: datetime) -> int:
    """The demo's balances stay where they are, and nothing can be paid or withdrawn from them."""
    is_demo = or_(Account.owner_id.in_([user.id for user in users]), Account.tenant_id.in_(TENANT_IDS))
    wallets = session.scalars(select(Account).where(is_demo, ~Account.frozen).order_by(Account.id)).all()
    for wallet in wallets:
        ledger.freeze(session, wallet.id, is_frozen=True)
        facts = (
            {"user": ids.public(ids.USER, wallet.owner_id)}
            if wallet.owner_id
            else {"tenant": str(wallet.tenant_id)}
        )
        _record(session, EventType.WALLET_FROZEN, wallet.public_id, facts, operator=operator, now=now)
    return len(wallets)


def _record_of_tenant(
    session: Session,
    event_type: EventType,
    tenant_id: uuid.UUID,
    facts: dict[str, Any],
    *,
    operator: Principal,
    now: datetime,
) -> None:
    _record(session, event_type, str(tenant_id), facts, operator=operator, now=now, tenant_id=tenant_id)


def _record(
    session: Session,
    event_type: EventType,
    object_id: str,
    facts: dict[str, Any],
    *,
    operator: Principal,
    now: datetime,
    tenant_id: uuid.UUID | None = None,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=object_id,
        data=facts,
        now=now,
        actor=operator,
        tenant_id=tenant_id,
        is_public=False,
    )

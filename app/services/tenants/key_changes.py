"""What a tenant, or an operator, does with API keys: more of them, rotating, suspending and revoking them.

Guarantees: a key is shown once, when it is made; a key is rotated once, however many ask at once; a change has effect from
its commit on, on every process, since each use reads the row or the version of the reference data.

A key is named by its id, or by an operator by its first 16 characters; `tenant_id` None: of any tenant, for operators.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.clock import iso_z
from app.errors import InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.tenant import ApiKey, Permission
from app.principal import SYSTEM, Principal
from app.services.tenants import tenants
from app.services.tenants.api_keys import new_key, store_key, valid_name
from app.unit_of_work import reading, transaction

MAX_KEYS: Final = 50
"""Keys of a tenant that are neither revoked nor expired."""

MAX_LISTED: Final = 100
"""Keys in a list: those that are not revoked first, the newest of each first."""

DEFAULT_OVERLAP_HOURS: Final = 24
MAX_OVERLAP_HOURS: Final = 168
"""How long a key that was rotated is accepted beside the new one."""


def list_keys(tenant_id: uuid.UUID) -> Sequence[ApiKey]:
    """The tenant's keys, at most MAX_LISTED."""
    wanted = (
        select(ApiKey)
        .where(ApiKey.tenant_id == tenant_id)
        .order_by(ApiKey.revoked_at.is_(None).desc(), ApiKey.created_at.desc(), ApiKey.id)
        .limit(MAX_LISTED)
    )
    with reading() as session:
        return session.scalars(wanted).all()


def add_api_key(
    tenant_id: uuid.UUID,
    name: str,
    *,
    permissions: Sequence[Permission] | None = None,
    operator: Principal = SYSTEM,
) -> tuple[ApiKey, str]:
    """Another key of the tenant, with its text. permissions: None for all; they never change.

    Raises NotFound (the tenant), InvalidRequest (the name, or too many keys).
    """
    wanted, key = valid_name(name), new_key()

    def work(session: Session) -> ApiKey:
        tenants.locked(session, tenant_id)
        _require_room(session, tenant_id)
        return store_key(
            session, key, tenant_id=tenant_id, name=wanted, permissions=permissions, operator=operator
        )

    return transaction(work), key


def revoke_api_key(
    who: str | uuid.UUID, *, tenant_id: uuid.UUID | None = None, operator: Principal = SYSTEM
) -> ApiKey:
    """Revoke a key for ever. Raises NotFound: unknown, or revoked before."""
    now = clock.now()

    def work(session: Session) -> ApiKey:
        key = _locked(session, who, tenant_id)
        key.revoked_at = now
        _record(session, EventType.API_KEY_REVOKED, key, operator=operator, now=now)
        return key

    return transaction(work)


def suspend_api_key(
    who: str | uuid.UUID, *, tenant_id: uuid.UUID | None, operator: Principal
) -> tuple[ApiKey, bool]:
    """Refuse a key until it is resumed. False: it was suspended before, and nothing changed. Raises NotFound: unknown, or
    revoked."""
    return _set_suspended(who, tenant_id, is_suspended=True, operator=operator)


def resume_api_key(
    who: str | uuid.UUID, *, tenant_id: uuid.UUID | None, operator: Principal
) -> tuple[ApiKey, bool]:
    """Accept a suspended key again. False: it was not suspended. Raises NotFound: unknown, or revoked."""
    return _set_suspended(who, tenant_id, is_suspended=False, operator=operator)


def rotate_api_key(
    who: str | uuid.UUID,
    *,
    tenant_id: uuid.UUID | None,
    overlap_hours: int = DEFAULT_OVERLAP_HOURS,
    operator: Principal,
) -> tuple[ApiKey, str]:
    """A new key with the name and the permissions of the old one, and its text; the old one expires after the overlap.

    Raises NotFound (unknown, or revoked), InvalidRequest: it is suspended or was rotated before, there are too many keys, or the
    overlap is not 0 to MAX_OVERLAP_HOURS.
    """
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise InvalidRequest(f"The overlap is 0 to {MAX_OVERLAP_HOURS} hours.", field="overlap_hours")
    text, now = new_key(), clock.now()

    def work(session: Session) -> ApiKey:
        old = _locked(session, who, tenant_id)
        if old.suspended_at is not None:
            raise InvalidRequest("This key is suspended: resume it, or make a new one.")
        if old.expires_at is not None:
            raise InvalidRequest("This key has been rotated before.")
        _require_room(session, old.tenant_id)
        old.expires_at = now + timedelta(hours=overlap_hours)
        new = store_key(
            session,
            text,
            tenant_id=old.tenant_id,
            name=old.name,
            permissions=old.permissions,
            requests_per_minute=old.requests_per_minute,
            operator=operator,
        )
        facts = {"new_prefix": new.prefix, "expires_at": iso_z(old.expires_at)}
        _record(session, EventType.API_KEY_ROTATED, old, operator=operator, now=now, **facts)
        return new

    return transaction(work), text


def _set_suspended(
    who: str | uuid.UUID, tenant_id: uuid.UUID | None, *, is_suspended: bool, operator: Principal
) -> tuple[ApiKey, bool]:
    now = clock.now()

    def work(session: Session) -> tuple[ApiKey, bool]:
        key = _locked(session, who, tenant_id)
        if (key.suspended_at is not None) is is_suspended:
            return key, False
        key.suspended_at = now if is_suspended else None
        event_type = EventType.API_KEY_SUSPENDED if is_suspended else EventType.API_KEY_RESUMED
        _record(session, event_type, key, operator=operator, now=now)
        return key, True

    return transaction(work)


def _locked(session: Session, who: str | uuid.UUID, tenant_id: uuid.UUID | None) -> ApiKey:
    """The key's row, locked behind its tenant's. Raises NotFound: unknown, of another tenant, or revoked."""
    criteria: list[ColumnElement[bool]] = [ApiKey.revoked_at.is_(None)]
    criteria.append(ApiKey.id == who if isinstance(who, uuid.UUID) else ApiKey.prefix == who)
    if tenant_id is not None:
        criteria.append(ApiKey.tenant_id == tenant_id)
    owner = session.scalars(select(ApiKey.tenant_id).where(*criteria)).one_or_none()
    if owner is not None:
        tenants.locked(session, owner)
        found = select(ApiKey).where(*criteria).with_for_update(key_share=True)
        if (key := session.scalars(found).one_or_none()) is not None:
            return key
    raise NotFound("No key that is in use begins like this.")


def _require_room(session: Session, tenant_id: uuid.UUID) -> None:
    """Raises InvalidRequest: the tenant, whose row is locked, has as many keys as it may."""
    is_counted = ApiKey.revoked_at.is_(None) & or_(
        ApiKey.expires_at.is_(None), ApiKey.expires_at > clock.now()
    )
    wanted = select(func.count()).select_from(ApiKey).where(ApiKey.tenant_id == tenant_id, is_counted)
    if session.scalars(wanted).one() >= MAX_KEYS:
        raise InvalidRequest(f"A tenant has at most {MAX_KEYS} API keys in use; revoke one.")


def _record(
    session: Session,
    event_type: EventType,
    key: ApiKey,
    *,
    operator: Principal,
    now: datetime,
    **facts: str,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(key.tenant_id),
        data={"prefix": key.prefix} | facts,
        now=now,
        actor=operator,
        tenant_id=key.tenant_id,
        is_public=False,
    )

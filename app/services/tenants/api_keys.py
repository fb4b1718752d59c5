"""API keys of tenants: their form, their rows, and whether one is good now.

Guarantees: a key that is revoked, suspended or expired, or whose tenant is suspended, is refused from that moment on by every process;
what a process remembers of a key ends with the key's own end. What is done with keys: key_changes.py.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from flask import current_app
from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, null, or_, select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import ApiKeyDeactivated, InvalidApiKey, InvalidRequest, TestDataReset
from app.events import outbox
from app.events.catalogue import EventType
from app.models.tenant import NEVER_RESET, ApiKey, Tenant
from app.principal import SYSTEM, Kind, Principal
from app.services.demo.objects import API_KEYS as DEMO_KEYS
from app.services.reference_data import GoodCredential, ReferenceData
from app.unit_of_work import reading

MAX_NAME: Final = 100
"""Characters of a tenant's or a key's name."""

PREFIX_LENGTH: Final = 16
"""A key is found by its first characters: `mlp_` and 12 hexadecimal digits. The 43 that follow are the secret."""


_KEY: Final = re.compile(r"mlp_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


_DEMO_KEY: Final = re.compile(r"demo_[A-Za-z0-9_]{11,60}")


def is_key(text: str) -> bool:
    """Whether this is an API key by its form, or one of the demo's, good or not."""
    return bool(_KEY.fullmatch(text)) or text in DEMO_KEYS


class KnownKey(NamedTuple):
    """What never changes of a key. permissions: None for all. requests_per_minute: None for the default.

    reset_at: when the tenant's test data was reset; that of the last look-up.
    """

    tenant_id: uuid.UUID
    key_id: uuid.UUID
    permissions: frozenset[str] | None
    requests_per_minute: int | None
    reset_at: datetime | None


def authenticate(key: str) -> KnownKey:
    """A key that is good now. Raises InvalidApiKey; ApiKeyDeactivated: it was good once. Most surfaces answer both alike."""
    is_demo_key = not current_app.config["IS_PRODUCTION"] and _DEMO_KEY.fullmatch(key)
    if not (is_demo_key or _KEY.fullmatch(key)):
        raise InvalidApiKey
    given = {"prefix": key[:PREFIX_LENGTH], "now": clock.now()}
    with reading() as session:
        row = session.execute(_OF_PREFIX, given).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.secret_hash), _hash(key)):
        raise InvalidApiKey
    if not row.is_accepted:
        raise ApiKeyDeactivated
    permissions = None if row.permissions is None else frozenset(row.permissions)
    return KnownKey(row.tenant_id, row.id, permissions, row.requests_per_minute, row.reset_at)


def is_good(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Of a key's row joined with its tenant's: whether the key is accepted."""
    is_accepted: ColumnElement[bool] = (
        ApiKey.revoked_at.is_(None)
        & ApiKey.suspended_at.is_(None)
        & or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)
        & Tenant.is_active
    )
    return is_accepted


_OF_PREFIX: Final = (
    select(
        ApiKey.id,
        ApiKey.tenant_id,
        ApiKey.secret_hash,
        ApiKey.permissions,
        ApiKey.requests_per_minute,
        Tenant.reset_at,
        is_good(bindparam("now", type_=ApiKey.expires_at.type)).label("is_accepted"),
    )
    .join(Tenant, Tenant.id == ApiKey.tenant_id)
    .where(ApiKey.prefix == bindparam("prefix"))
)
"""Made once: making it takes as long as executing it."""


def require_good(merchant: Principal, reference: ReferenceData) -> None:
    """Raises InvalidApiKey where the merchant's key was revoked or suspended by `reference`, or its tenant suspended, or where
    the key has expired by now: no change of the database says that it did. Raises TestDataReset where the tenant's test data was
    reset since a caller of the Processing API was identified. The credential of a member is a session, that of an application a
    grant: the guard has checked them."""
    key_id, now = merchant.credential if merchant.kind is Kind.API_KEY else None, clock.now()
    credential = (merchant.tenant_id, key_id)
    if credential not in reference.good_credentials:
        reference.good_credentials[credential] = _good_credential(merchant.tenant_id, key_id, now)
    good = reference.good_credentials[credential]
    if good.expires_at is not None and good.expires_at <= now:
        raise InvalidApiKey
    if merchant.reset_at is not None and merchant.reset_at != (good.reset_at or NEVER_RESET):
        raise TestDataReset


def _good_credential(tenant_id: uuid.UUID, key_id: uuid.UUID | None, now: datetime) -> GoodCredential:
    """Raises InvalidApiKey."""
    good: Select[Any, Any] = select(null(), Tenant.reset_at).where(Tenant.is_active)
    if key_id is not None:
        good = select(ApiKey.expires_at, Tenant.reset_at).join(Tenant, Tenant.id == ApiKey.tenant_id)
        good = good.where(ApiKey.id == key_id, is_good(now))
    with reading() as session:
        row = session.execute(good.where(Tenant.id == tenant_id)).one_or_none()
    if row is None:
        raise InvalidApiKey
    return GoodCredential(*row)


def new_key() -> str:
    """`mlp_`, 12 hexadecimal digits to find it by, `_`, and 256 random bits."""
    return f"mlp_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"


def store_key(
    session: Session,
    key: str,
    *,
    tenant_id: uuid.UUID,
    name: str,
    permissions: Sequence[str] | None = None,
    requests_per_minute: int | None = None,
    operator: Principal = SYSTEM,
    row_id: uuid.UUID | None = None,
) -> ApiKey:
    """Add the key's row in the caller's transaction: its prefix and hash, never the key. permissions: None for all. row_id: None for
    a new one."""
    now, prefix = clock.now(), key[:PREFIX_LENGTH]
    row = ApiKey(
        id=row_id or ids.opaque(),
        tenant_id=tenant_id,
        prefix=prefix,
        secret_hash=_hash(key),
        name=name,
        created_at=now,
        created_by=operator.event_actor,
        permissions=None if permissions is None else sorted(permissions),
        requests_per_minute=requests_per_minute,
    )
    session.add(row)
    outbox.record(
        session,
        EventType.API_KEY_CREATED,
        object_id=str(tenant_id),
        data={"prefix": prefix, "name": name, "permissions": row.permissions},
        now=now,
        actor=operator,
        tenant_id=tenant_id,
        is_public=False,
    )
    return row


def _hash(key: str) -> bytes:
    # No password hash: the key has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(key.encode()).digest()


def valid_name(text: str, *, field: str = "name") -> str:
    """`text` without spaces around it. `field`: where it was sent. Raises InvalidRequest."""
    name = text.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidRequest(f"A name has 1 to {MAX_NAME} printable characters.", field=field)
    return name

"""API keys of tenants."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from typing import Final

from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidApiKey, InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.tenant import ApiKey, Tenant
from app.principal import SYSTEM, Principal
from app.services.demo.objects import API_KEYS as DEMO_KEYS
from app.services.reference_data import ReferenceData
from app.unit_of_work import reading, transaction

MAX_NAME: Final = 100
"""Characters of a tenant's or a key's name."""

PREFIX_LENGTH: Final = 16
"""A key is found by its first characters: `mlp_` and 12 hexadecimal digits. The 43 that follow are the secret."""


_KEY: Final = re.compile(r"mlp_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


_DEMO_KEY: Final = re.compile(r"demo_[A-Za-z0-9_]{11,60}")


def is_key(text: str) -> bool:
    """Whether this is an API key by its form, or one of the demo's, good or not."""
    return bool(_KEY.fullmatch(text)) or text in DEMO_KEYS


def add_api_key(tenant_id: uuid.UUID, name: str, *, operator: Principal = SYSTEM) -> str:
    """Another key of the tenant. Raises NotFound, InvalidRequest (the name)."""
    wanted, key = valid_name(name), new_key()

    def work(session: Session) -> None:
        known = select(Tenant.id).where(Tenant.id == tenant_id).with_for_update(key_share=True)
        if session.scalars(known).one_or_none() is None:
            raise NotFound("There is no tenant with this id.")
        store_key(session, key, tenant_id=tenant_id, name=wanted, operator=operator)

    transaction(work)
    return key


def revoke_api_key(prefix: str, *, operator: Principal = SYSTEM) -> None:
    """Revoke a key, named by its first 16 characters, for ever. Raises NotFound: unknown, or revoked before."""
    now = clock.now()

    def work(session: Session) -> None:
        ended = session.execute(
            update(ApiKey)
            .where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(ApiKey.tenant_id)
        ).one_or_none()
        if ended is None:
            raise NotFound("No key that is in use begins like this.")
        outbox.record(
            session,
            EventType.API_KEY_REVOKED,
            object_id=str(ended.tenant_id),
            data={"prefix": prefix},
            now=now,
            actor=operator,
            tenant_id=ended.tenant_id,
            is_public=False,
        )

    transaction(work)


def authenticate(key: str) -> tuple[uuid.UUID, uuid.UUID]:
    """(tenant's id, key's id) of a key that is good now. Raises InvalidApiKey, the same for every reason."""
    is_demo_key = not current_app.config["IS_PRODUCTION"] and _DEMO_KEY.fullmatch(key)
    if not (is_demo_key or _KEY.fullmatch(key)):
        raise InvalidApiKey
    found = (
        select(ApiKey.id, ApiKey.tenant_id, ApiKey.secret_hash, ApiKey.revoked_at, Tenant.is_active)
        .join(Tenant, Tenant.id == ApiKey.tenant_id)
        .where(ApiKey.prefix == key[:PREFIX_LENGTH])
    )
    with reading() as session:
        row = session.execute(found).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.secret_hash), _hash(key)):
        raise InvalidApiKey
    if row.revoked_at is not None or not row.is_active:
        raise InvalidApiKey
    return row.tenant_id, row.id


def require_good(merchant: Principal, reference: ReferenceData) -> None:
    """Raises InvalidApiKey where the merchant's key was revoked by `reference`, or its tenant suspended. A member's credential is a
    session, which its guard has checked with the key."""
    key_id = merchant.credential if merchant.user is None else None
    credential = (merchant.tenant_id, key_id)
    if credential in reference.good_credentials:
        return
    good = select(Tenant.id).where(Tenant.id == merchant.tenant_id, Tenant.is_active)
    if key_id is not None:
        good = good.join(ApiKey, ApiKey.tenant_id == Tenant.id)
        good = good.where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
    with reading() as session:
        if session.scalar(good) is None:
            raise InvalidApiKey
    reference.good_credentials.add(credential)


def new_key() -> str:
    """`mlp_`, 12 hexadecimal digits to find it by, `_`, and 256 random bits."""
    return f"mlp_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"


def store_key(
    session: Session, key: str, *, tenant_id: uuid.UUID, name: str, operator: Principal = SYSTEM
) -> ApiKey:
    """Add the key's row in the caller's transaction: its prefix and hash, never the key."""
    now, prefix = clock.now(), key[:PREFIX_LENGTH]
    row = ApiKey(
        id=ids.opaque(), tenant_id=tenant_id, prefix=prefix, secret_hash=_hash(key), name=name, created_at=now
    )
    session.add(row)
    outbox.record(
        session,
        EventType.API_KEY_CREATED,
        object_id=str(tenant_id),
        data={"prefix": prefix, "name": name},
        now=now,
        actor=operator,
        tenant_id=tenant_id,
        is_public=False,
    )
    return row


def _hash(key: str) -> bytes:
    # No password hash: the key has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(key.encode()).digest()


def valid_name(text: str) -> str:
    """`text` without spaces around it. Raises InvalidRequest."""
    name = text.strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidRequest(f"A name has 1 to {MAX_NAME} printable characters.", field="name")
    return name

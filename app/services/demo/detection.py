"""What of the demo can still be used in a database: published passwords and keys open it to everybody.

A demo user is one with a demo id, or with a demo e-mail address and the published password. An address alone is not enough: in
production another user may have registered it, with another password. What was purged is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.models.oauth import OAuthClient
from app.models.tenant import ApiKey, ProviderAccount, Tenant
from app.models.user import User
from app.services.demo.objects import API_KEYS, EMAILS, OAUTH_CLIENTS, PASSWORD, TENANT_IDS, USERS
from app.services.identity import passwords
from app.services.identity.passwords import UNUSABLE
from app.services.tenants.api_keys import PREFIX_LENGTH

COMMAND: Final = "flask demo purge"

USER_IDS: Final = frozenset(user.id for user in USERS)
KEY_PREFIXES: Final = frozenset(key[:PREFIX_LENGTH] for key in API_KEYS)

CLIENT_IDS: Final = frozenset(client.client_id for client in OAUTH_CLIENTS)


@dataclass(frozen=True, slots=True)
class DemoObject:
    """Something of the demo's that can be used. object_id: of its row. title: what it is called, without a secret."""

    object_id: str
    title: str


def found(session: Session) -> list[DemoObject]:
    """Everything of the demo that can be used now. Few rows are read, by their indexes."""
    return [
        *_users(session),
        *_tenants(session),
        *_keys(session),
        *_oauth_clients(session),
        *_provider_accounts(session),
    ]


def sentence(objects: Sequence[DemoObject]) -> str:
    """What was found and what to do, for an operator; empty when nothing was."""
    if not objects:
        return ""
    titles = ", ".join(one.title for one in objects)
    return (
        f"The database holds the demo's {titles}, which are usable with published credentials: run `{COMMAND}`, or give production a database "
        "of its own."
    )


def users(session: Session, *, is_locked: bool = False) -> list[User]:
    """The rows of demo users, purged or not."""
    wanted = select(User).where(or_(User.id.in_(USER_IDS), User.email.in_(EMAILS))).order_by(User.id)
    rows = session.scalars(wanted.with_for_update(key_share=True) if is_locked else wanted)
    return [user for user in rows if user.id in USER_IDS or _has_published_password(user.password_hash)]


def is_usable(user: User) -> bool:
    """Whether a user is anything but purged: one that is only disabled could be enabled again, with the password."""
    return user.is_active or bool(user.scopes) or user.password_hash != UNUSABLE


def _users(session: Session) -> Iterator[DemoObject]:
    for user in users(session):
        if is_usable(user):
            yield DemoObject(str(user.id), f"user {user.email}")


def _tenants(session: Session) -> Iterator[DemoObject]:
    wanted = select(Tenant).where(Tenant.id.in_(TENANT_IDS), Tenant.is_active)
    for tenant in session.scalars(wanted):
        yield DemoObject(str(tenant.id), f"tenant {tenant.name}")


def _keys(session: Session) -> Iterator[DemoObject]:
    is_demo = or_(ApiKey.tenant_id.in_(TENANT_IDS), ApiKey.prefix.in_(KEY_PREFIXES))
    for key in session.scalars(select(ApiKey).where(is_demo, ApiKey.revoked_at.is_(None))):
        yield DemoObject(str(key.id), f"API key {key.prefix}…")


def oauth_clients(session: Session) -> Sequence[OAuthClient]:
    """Applications of the demo's tenants, and those with a published id, that are not disabled."""
    is_demo = or_(OAuthClient.tenant_id.in_(TENANT_IDS), OAuthClient.client_id.in_(CLIENT_IDS))
    return session.scalars(select(OAuthClient).where(is_demo, OAuthClient.disabled_at.is_(None))).all()


def _oauth_clients(session: Session) -> Iterator[DemoObject]:
    for client in oauth_clients(session):
        yield DemoObject(str(client.id), f"OAuth client {client.client_id}")


def _provider_accounts(session: Session) -> Iterator[DemoObject]:
    wanted = select(ProviderAccount).where(
        ProviderAccount.tenant_id.in_(TENANT_IDS), ProviderAccount.is_active
    )
    for account in session.scalars(wanted):
        yield DemoObject(str(account.id), f"account at {account.provider}")


@lru_cache(maxsize=64)
def _has_published_password(password_hash: str) -> bool:
    return passwords.is_correct(PASSWORD, password_hash)

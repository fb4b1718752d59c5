"""What applications were granted, from the code to the last token that came of it.

Guarantees: a code and a refresh token work once, however many use them at once, since their row decides; the second use
revokes the grant with all its tokens; a grant ends at once with its application, its tenant, or the membership or the right of
the user who consented, since each use reads their rows; what a token may do never becomes more.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn, TypeVar

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, TokenMixin
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, aliased

from app import clock, ids
from app.errors import OAuthRefused
from app.events import outbox
from app.events.catalogue import EventType
from app.models.member import Member, TenantScope
from app.models.oauth import OAuthClient, OAuthGrant, OAuthToken, TokenKind
from app.models.tenant import Tenant
from app.models.user import User
from app.principal import SYSTEM, EventActor, Principal
from app.services.oauth import credentials
from app.services.oauth.clients import Application
from app.services.oauth.credentials import digest
from app.services.tenants import key_attempts
from app.services.tenants.roles import ROLES
from app.unit_of_work import reading, transaction

Row = TypeVar("Row", OAuthGrant, OAuthToken)
S = TypeVar("S", bound=Select[*tuple[Any, ...]])

CONSENT_SCOPE: Final = TenantScope.DEVELOPERS_MANAGE
"""What a member needs to let an application act for the tenant: the same as for an API key."""

_MAY_CONSENT: Final = tuple(role for role, scopes in ROLES.items() if CONSENT_SCOPE in scopes)

_IDS: Final = select(OAuthGrant.id)

_INVALID_CODE: Final = "The authorization code is not valid."
_INVALID_REFRESH_TOKEN: Final = "The refresh token is not valid."  # noqa: S105 a sentence


@dataclass(frozen=True, slots=True)
class Issued:
    """New tokens, as they are answered. permissions: of the access token. refresh: None where there is none."""

    access: str
    permissions: Sequence[str]
    refresh: str | None = None


@dataclass(frozen=True, slots=True)
class Code(AuthorizationCodeMixin):
    """A code that was not used yet, as Authlib asks about it."""

    grant_id: uuid.UUID
    permissions: Sequence[str]
    redirect_uri: str
    code_challenge: str | None

    def get_redirect_uri(self) -> None:
        """None: the token route compares the address where one is sent (document 003 sends none)."""

    def get_scope(self) -> str:
        return " ".join(self.permissions)


@dataclass(frozen=True, slots=True)
class RefreshToken(TokenMixin):
    """A refresh token that was not used yet, as Authlib asks about it."""

    id: uuid.UUID
    grant_id: uuid.UUID
    client: uuid.UUID
    permissions: Sequence[str]

    def check_client(self, client: Application) -> bool:
        return self.client == client.id

    def get_scope(self) -> str:
        return " ".join(self.permissions)


def only_live(statement: S) -> S:
    """The query of grants, joined with their clients, with those alone that are good now."""
    owner = aliased(Tenant)
    return (
        statement.select_from(OAuthGrant)
        .join(OAuthClient, OAuthClient.id == OAuthGrant.client)
        .join(owner, owner.id == OAuthClient.tenant_id)
        .join(Tenant, Tenant.id == OAuthGrant.tenant_id)
        .outerjoin(
            Member, (Member.tenant_id == OAuthGrant.tenant_id) & (Member.user_id == OAuthGrant.user_id)
        )
        .outerjoin(User, User.id == OAuthGrant.user_id)
        .where(
            OAuthGrant.revoked_at.is_(None),
            OAuthClient.disabled_at.is_(None),
            owner.is_active,
            Tenant.is_active,
            or_(
                OAuthGrant.user_id.is_(None),
                Member.role.in_(_MAY_CONSENT) & Member.suspended_at.is_(None) & User.is_active,
            ),
        )
    )


def authorize(
    client: Application,
    *,
    tenant_id: uuid.UUID,
    permissions: Sequence[str],
    redirect_uri: str,
    challenge: str | None,
    actor: Principal,
) -> str:
    """A new grant of the tenant's to the application; its code. actor: the user who consented, who is a member with
    CONSENT_SCOPE; or SYSTEM, in a demo."""
    code, now = credentials.new(credentials.CODE), clock.now()

    def work(session: Session) -> None:
        grant = _new_grant(client, tenant_id, permissions, user_id=actor.user, now=now)
        grant.code_hash, grant.redirect_uri, grant.challenge = digest(code), redirect_uri, challenge
        grant.code_expires_at = now + timedelta(seconds=credentials.CODE_LIFE_S)
        session.add(grant)
        facts = {"client_id": client.client_id, "permissions": list(permissions)}
        _record(session, EventType.OAUTH_GRANT_CREATED, grant, facts, actor=actor, now=now)

    transaction(work)
    return code


def find_code(code: str, client: Application, *, address: str | None) -> Code:
    """A code of the application's that can be used. A code that was used before is revoked with its tokens.

    Raises OAuthRefused, RateLimitExceeded: too many unknown ones came from this address.
    """
    is_it = (OAuthGrant.code_hash == digest(code)) & (OAuthGrant.client == client.id)
    wanted = select(OAuthGrant, OAuthGrant.id).where(is_it)
    grant, is_live = _found(wanted, code, _INVALID_CODE, address)
    if grant.code_used_at is not None:
        _refuse_used_code(grant.id)
    if not is_live or grant.code_expires_at is None or grant.code_expires_at <= clock.now():
        raise OAuthRefused("invalid_grant", _INVALID_CODE)
    return Code(grant.id, grant.permissions, grant.redirect_uri or "", grant.challenge)


def use_code(code: Code, issued: Issued) -> None:
    """Store the tokens that the code is exchanged for. Raises OAuthRefused when another request was first, and revokes them all."""
    now = clock.now()

    def work(session: Session) -> bool:
        grant = session.get_one(OAuthGrant, code.grant_id, with_for_update=True)
        if grant.code_used_at is not None:
            return False
        grant.code_used_at = now
        _add_tokens(session, grant, issued, refresh_permissions=issued.permissions, now=now)
        return True

    if not transaction(work):
        _refuse_used_code(code.grant_id)


def find_refresh_token(text: str, client: Application, *, address: str | None) -> RefreshToken:
    """A refresh token of the application's that can be used. One that was used before is revoked with its grant: it was stolen,
    and thief and owner cannot be distinguished. Raises as find_code."""
    is_it = (OAuthToken.token_hash == digest(text)) & (OAuthToken.kind == TokenKind.REFRESH)
    wanted = (
        select(OAuthToken, OAuthGrant.id)
        .join(OAuthGrant, OAuthGrant.id == OAuthToken.grant_id)
        .where(is_it, OAuthGrant.client == client.id)
    )
    token, is_live = _found(wanted, text, _INVALID_REFRESH_TOKEN, address)
    if token.used_at is not None:
        _refuse_used_refresh_token(token.grant_id)
    if not is_live or token.revoked_at is not None or token.expires_at <= clock.now():
        raise OAuthRefused("invalid_grant", _INVALID_REFRESH_TOKEN)
    return RefreshToken(token.id, token.grant_id, client.id, token.permissions)


def rotate(token: RefreshToken, issued: Issued) -> None:
    """Store the tokens that the refresh token is exchanged for; the new refresh token has the permissions of the old one (RFC
    6749, 6). Raises OAuthRefused when another request was first, and revokes them all."""
    now = clock.now()

    def work(session: Session) -> bool:
        grant = session.get_one(OAuthGrant, token.grant_id, with_for_update=True)
        old = session.get_one(OAuthToken, token.id, with_for_update=True)
        if old.used_at is not None:
            return False
        old.used_at = now
        _add_tokens(session, grant, issued, refresh_permissions=token.permissions, now=now)
        return True

    if not transaction(work):
        _refuse_used_refresh_token(token.grant_id)


def grant_own(client: Application, issued: Issued) -> None:
    """Store a token for the application's own tenant (client credentials). No consent, so no event: nothing is granted anew."""
    now = clock.now()

    def work(session: Session) -> None:
        grant = _new_grant(client, client.tenant_id, issued.permissions, user_id=None, now=now)
        session.add(grant)
        _add_tokens(session, grant, issued, refresh_permissions=(), now=now)

    transaction(work)


def revoke(grant_id: uuid.UUID, *, because: str, actor: EventActor) -> None:
    """End a grant, and with it all its tokens. Harmless when it has ended."""
    now = clock.now()

    def work(session: Session) -> None:
        grant = session.get_one(OAuthGrant, grant_id, with_for_update=True)
        if grant.revoked_at is None:
            grant.revoked_at, grant.revoked_because = now, because
            _record(session, EventType.OAUTH_GRANT_REVOKED, grant, {"reason": because}, actor=actor, now=now)

    transaction(work)


def _found(wanted: Select[Row, uuid.UUID], text: str, refusal: str, address: str | None) -> tuple[Row, bool]:
    """The row of a code or refresh token, and whether its grant is good now. Raises OAuthRefused, counted as a wrong credential."""

    def check() -> tuple[Row, bool]:
        with reading() as session:
            found = session.execute(wanted).one_or_none()
            if found is None:
                raise OAuthRefused("invalid_grant", refusal)
            row, grant_id = found
            is_live = session.scalar(only_live(_IDS).where(OAuthGrant.id == grant_id)) is not None
        return row, is_live

    return key_attempts.checked(text, check, address=address)


def _refuse_used_code(grant_id: uuid.UUID) -> NoReturn:
    """Raises OAuthRefused."""
    revoke(grant_id, because="code_reused", actor=SYSTEM)
    raise OAuthRefused(
        "invalid_grant",
        "The authorization code has already been used; the tokens that were issued for it are revoked.",
    )


def _refuse_used_refresh_token(grant_id: uuid.UUID) -> NoReturn:
    """Raises OAuthRefused."""
    revoke(grant_id, because="refresh_reused", actor=SYSTEM)
    raise OAuthRefused(
        "invalid_grant",
        "The refresh token has already been used; all tokens of this authorization are revoked.",
    )


def _new_grant(
    client: Application,
    tenant_id: uuid.UUID,
    permissions: Sequence[str],
    *,
    user_id: uuid.UUID | None,
    now: datetime,
) -> OAuthGrant:
    return OAuthGrant(
        id=ids.uuid7(),
        client=client.id,
        tenant_id=tenant_id,
        user_id=user_id,
        permissions=list(permissions),
        created_at=now,
    )


def _add_tokens(
    session: Session,
    grant: OAuthGrant,
    issued: Issued,
    *,
    refresh_permissions: Sequence[str],
    now: datetime,
) -> None:
    def add(kind: TokenKind, text: str, permissions: Sequence[str], expires_at: datetime) -> None:
        session.add(
            OAuthToken(
                id=ids.uuid7(),
                grant_id=grant.id,
                kind=kind,
                token_hash=digest(text),
                permissions=list(permissions),
                created_at=now,
                expires_at=expires_at,
            )
        )

    ends_at = grant.created_at + timedelta(seconds=credentials.GRANT_LIFE_S)
    access_life = timedelta(seconds=credentials.ACCESS_TOKEN_LIFE_S)
    add(TokenKind.ACCESS, issued.access, issued.permissions, now + access_life)
    if issued.refresh is not None:
        refresh_life = timedelta(seconds=credentials.REFRESH_TOKEN_LIFE_S)
        add(TokenKind.REFRESH, issued.refresh, refresh_permissions, min(now + refresh_life, ends_at))


def _record(
    session: Session,
    event_type: EventType,
    grant: OAuthGrant,
    facts: dict[str, Any],
    *,
    actor: EventActor,
    now: datetime,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(grant.id),
        data=facts,
        now=now,
        actor=actor,
        tenant_id=grant.tenant_id,
        is_public=False,
    )

"""OAuth 2: the applications that act for tenants, what was granted to them, and the tokens they hold (RFC 6749)."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class TokenKind(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"


class OAuthClient(Base):
    """An application. tenant_id: who registered it. secret_hash: SHA-256; None: it is public, and proves itself by PKCE.

    redirect_uris: compared as they are. grants: the grant types it may use. permissions: the most that can be granted to it.
    """

    __tablename__ = "oauth_clients"
    __table_args__ = (Index("oauth_clients_tenant_id_id", "tenant_id", "id"),)

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    client_id: Mapped[Words] = mapped_column(unique=True)
    secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    name: Mapped[Words]
    redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(Text))
    grants: Mapped[list[str]] = mapped_column(ARRAY(Text))
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[Moment]
    created_by: Mapped[Words]
    disabled_at: Mapped[Moment | None]


class OAuthGrant(Base):
    """What was granted once, with all the tokens that came of it: they end together.

    client: the OAuthClient's id. tenant_id: whose data it is about. user_id: who consented; None for the client's own tenant.
    code_hash: SHA-256 of the authorization code; None for client credentials. challenge: the S256 code challenge, if there was
    one. revoked_because: `code_reused`, `refresh_reused`, `revoked` (by the application), `revoked_by_tenant`.
    """

    __tablename__ = "oauth_grants"
    __table_args__ = (
        Index("oauth_grants_client", "client", "id"),
        Index("oauth_grants_tenant_id_id", "tenant_id", "id"),
    )

    id: Mapped[Key]
    client: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID | None]
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    redirect_uri: Mapped[Words | None]
    challenge: Mapped[Words | None]
    created_at: Mapped[Moment]
    code_expires_at: Mapped[Moment | None]
    code_used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    revoked_because: Mapped[Words | None]


class OAuthToken(Base):
    """token_hash: SHA-256. permissions: those of the grant, or fewer. used_at: of a refresh token, when another took its place."""

    __tablename__ = "oauth_tokens"
    __table_args__ = (
        one_of("kind", TokenKind),
        Index("oauth_tokens_grant_id", "grant_id"),
        Index("oauth_tokens_expires_at", "expires_at"),
    )

    id: Mapped[Key]
    grant_id: Mapped[uuid.UUID]
    kind: Mapped[TokenKind] = mapped_column(EnumText(TokenKind))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]

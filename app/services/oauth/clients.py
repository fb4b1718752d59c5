"""Applications: who they are, and how they prove it.

Guarantees: a disabled application, or one whose own tenant is suspended, is refused from that moment on by every process.
What is done with them: client_changes.py.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import ClientMixin
from sqlalchemy import select

from app.errors import OAuthClientRefused, OAuthRefused
from app.models.oauth import OAuthClient
from app.models.tenant import Permission, Tenant
from app.services.oauth.credentials import digest
from app.services.tenants import key_attempts
from app.unit_of_work import reading


class GrantType(StrEnum):
    """How an application gets tokens (RFC 6749)."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 a type of grant
    CLIENT_CREDENTIALS = "client_credentials"


DEFAULT_SCOPE: Final = Permission.PAYMENTS_READ
"""What is granted where a request names no scope: the least."""

OWN_SCOPES: Final = frozenset({Permission.PAYMENTS_READ})
"""What an application may do for its own tenant with its secret alone."""


@dataclass(frozen=True, slots=True)
class Application(ClientMixin):
    """A client that is not disabled, as Authlib asks about it. secret_hash None: it is public."""

    id: uuid.UUID
    client_id: str
    tenant_id: uuid.UUID
    name: str
    secret_hash: bytes | None
    redirect_uris: Sequence[str]
    grants: Sequence[str]
    permissions: Sequence[str]

    @property
    def is_public(self) -> bool:
        return self.secret_hash is None

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a request names its address (document 003)."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scope as it is granted; None when it is more than the application may have."""
        wanted = (scope or DEFAULT_SCOPE).split()
        return " ".join(dict.fromkeys(wanted)) if set(wanted) <= set(self.permissions) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Compared as they are: no prefix, no normalising, and of localhost the registered port only."""
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return self.secret_hash is not None and hmac.compare_digest(self.secret_hash, digest(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return self.is_public == (method == "none")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and GrantType.AUTHORIZATION_CODE in self.grants

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grants


def find(client_id: str) -> Application | None:
    """The application that may be served now."""
    wanted = (
        select(OAuthClient)
        .join(Tenant, Tenant.id == OAuthClient.tenant_id)
        .where(OAuthClient.client_id == client_id, OAuthClient.disabled_at.is_(None), Tenant.is_active)
    )
    with reading() as session:
        row = session.scalars(wanted).one_or_none()
    if row is None:
        return None
    return Application(
        id=row.id,
        client_id=row.client_id,
        tenant_id=row.tenant_id,
        name=row.name,
        secret_hash=None if row.secret_hash is None else bytes(row.secret_hash),
        redirect_uris=tuple(row.redirect_uris),
        grants=tuple(row.grants),
        permissions=tuple(row.permissions),
    )


def authenticate(
    parameters: Mapping[str, str], authorization: str | None, *, address: str | None, may_be_public: bool
) -> tuple[Application, str]:
    """The application that sends the request, and by which of RFC 7591's methods it authenticated.

    authorization: the header. Raises OAuthClientRefused; OAuthRefused: two credentials at once; RateLimitExceeded.
    """
    client_id, secret, method = _credentials(parameters, authorization)
    if client_id is None or (secret is None and not may_be_public):
        raise OAuthClientRefused(message="Send the client's id and secret, in the body or by HTTP Basic.")

    def check() -> Application:
        found = find(client_id)
        if found is None or (found.is_public if secret else not found.is_public):
            raise OAuthClientRefused
        if secret is not None and not found.check_client_secret(secret):
            raise OAuthClientRefused
        return found

    return key_attempts.checked(f"{client_id}\n{secret}", check, address=address), method


def _credentials(
    parameters: Mapping[str, str], authorization: str | None
) -> tuple[str | None, str | None, str]:
    """(client id, secret, method). A header of another kind than Basic authenticates no client, and is not read.

    Raises OAuthClientRefused, OAuthRefused.
    """
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    kind, _, encoded = (authorization or "").partition(" ")
    if kind.lower() != "basic":
        return client_id, secret, "none" if secret is None else "client_secret_post"
    if secret is not None:
        raise OAuthRefused(message="Send the client's secret once: in the body or by HTTP Basic.")
    basic_id, basic_secret = _of_basic(encoded)
    if client_id is not None and client_id != basic_id:
        raise OAuthClientRefused(message="client_id is not the client of the header Authorization.")
    return basic_id, basic_secret, "client_secret_basic"


def _of_basic(encoded: str) -> tuple[str, str]:
    """Id and secret, each form-encoded in the header (RFC 6749, 2.3.1). Raises OAuthClientRefused."""
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise OAuthClientRefused(message="Authorization must be: Basic <client id and secret>.") from None
    found = unquote_plus(client_id), unquote_plus(secret)
    if not (colon and all(found)) or "\0" in found[0]:
        raise OAuthClientRefused
    return found

"""What a tenant, or an operator, does with applications: registering, giving a new secret, disabling.

Guarantees: a secret is shown once, when it is made; a change has effect from its commit on, on every process; no application is
registered for permissions that its registrar lacks.

An application is named by its client id; `tenant_id` None: of any tenant, for operators.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.oauth import OAuthClient
from app.principal import SYSTEM, Principal
from app.services.oauth import credentials
from app.services.oauth.clients import OWN_SCOPES, GrantType
from app.services.oauth.credentials import digest
from app.services.tenants import tenants
from app.services.tenants.api_keys import valid_name
from app.unit_of_work import reading, transaction

MAX_CLIENTS: Final = 50
"""Applications of a tenant that are not disabled."""

MAX_LISTED: Final = 100
"""Applications in a list: those that are not disabled first, the newest of each first."""

MAX_REDIRECT_URIS: Final = 10
MAX_REDIRECT_URI: Final = 1000
"""Characters of one."""

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Registration:
    """What an application is registered with; none of it ever changes."""

    name: str
    redirect_uris: Sequence[str]
    grants: Sequence[str]
    permissions: Sequence[str]


def list_clients(tenant_id: uuid.UUID) -> Sequence[OAuthClient]:
    """The tenant's applications, at most MAX_LISTED."""
    wanted = (
        select(OAuthClient)
        .where(OAuthClient.tenant_id == tenant_id)
        .order_by(OAuthClient.disabled_at.is_(None).desc(), OAuthClient.id.desc())
        .limit(MAX_LISTED)
    )
    with reading() as session:
        return session.scalars(wanted).all()


def add_client(
    tenant_id: uuid.UUID, registration: Registration, *, is_public: bool, operator: Principal
) -> tuple[OAuthClient, str | None]:
    """Another application of the tenant, with its secret; None: it is public.

    Raises InvalidRequest (what it is registered with, or too many), NotFound (the tenant), PermissionMissing.
    """
    checked = _valid(registration, is_public=is_public)
    for permission in checked.permissions:
        operator.require(permission)
    secret = None if is_public else credentials.new(credentials.SECRET)

    def work(session: Session) -> OAuthClient:
        tenants.locked(session, tenant_id)
        is_used = (OAuthClient.tenant_id == tenant_id) & OAuthClient.disabled_at.is_(None)
        if session.scalars(select(func.count()).select_from(OAuthClient).where(is_used)).one() >= MAX_CLIENTS:
            raise InvalidRequest(f"A tenant has at most {MAX_CLIENTS} applications: disable one first.")
        return store_client(
            session,
            client_id=credentials.new_client_id(),
            tenant_id=tenant_id,
            registration=checked,
            secret=secret,
            operator=operator,
        )

    return transaction(work), secret


def store_client(
    session: Session,
    *,
    client_id: str,
    tenant_id: uuid.UUID,
    registration: Registration,
    secret: str | None,
    row_id: uuid.UUID | None = None,
    operator: Principal = SYSTEM,
) -> OAuthClient:
    """Add the application's row in the caller's transaction: the secret's hash, never the secret."""
    row = OAuthClient(
        id=row_id or ids.uuid7(),
        tenant_id=tenant_id,
        client_id=client_id,
        secret_hash=None if secret is None else digest(secret),
        name=registration.name,
        redirect_uris=list(registration.redirect_uris),
        grants=list(registration.grants),
        permissions=sorted(registration.permissions),
        created_at=clock.now(),
        created_by=operator.event_actor,
    )
    session.add(row)
    facts = {"name": row.name, "permissions": row.permissions, "is_public": secret is None}
    _record(session, EventType.OAUTH_CLIENT_CREATED, row, operator=operator, **facts)
    return row


def rotate_secret(
    client_id: str, *, tenant_id: uuid.UUID | None, operator: Principal
) -> tuple[OAuthClient, str]:
    """A new secret in place of the old one, which is refused at once; tokens stay.

    Raises NotFound (unknown, or disabled), InvalidRequest: it is public.
    """
    secret = credentials.new(credentials.SECRET)

    def work(session: Session) -> OAuthClient:
        client = _locked(session, client_id, tenant_id)
        if client.secret_hash is None:
            raise InvalidRequest("This application is public: it has no secret.")
        client.secret_hash = digest(secret)
        _record(session, EventType.OAUTH_CLIENT_SECRET_ROTATED, client, operator=operator)
        return client

    return transaction(work), secret


def disable_client(client_id: str, *, tenant_id: uuid.UUID | None, operator: Principal) -> OAuthClient:
    """Refuse the application and all its tokens, at once and for ever. Raises NotFound: unknown, or disabled before."""

    def work(session: Session) -> OAuthClient:
        client = _locked(session, client_id, tenant_id)
        client.disabled_at = clock.now()
        _record(session, EventType.OAUTH_CLIENT_DISABLED, client, operator=operator)
        return client

    return transaction(work)


def _valid(registration: Registration, *, is_public: bool) -> Registration:
    """Raises InvalidRequest."""
    grants, uris = dict.fromkeys(registration.grants), dict.fromkeys(registration.redirect_uris)
    if not grants or not registration.permissions:
        raise InvalidRequest("An application needs a grant and a permission.", field="grants")
    if GrantType.REFRESH_TOKEN in grants and GrantType.AUTHORIZATION_CODE not in grants:
        raise InvalidRequest("refresh_token needs authorization_code.", field="grants")
    if GrantType.CLIENT_CREDENTIALS in grants:
        if is_public:
            raise InvalidRequest("A public application has no client_credentials.", field="grants")
        if not OWN_SCOPES.issubset(registration.permissions):
            needed = " ".join(OWN_SCOPES)
            raise InvalidRequest(f"client_credentials need the permission {needed}.", field="permissions")
    if GrantType.AUTHORIZATION_CODE in grants and not uris:
        raise InvalidRequest("authorization_code needs a redirect URI.", field="redirect_uris")
    if len(uris) > MAX_REDIRECT_URIS:
        raise InvalidRequest(f"At most {MAX_REDIRECT_URIS} redirect URIs.", field="redirect_uris")
    for uri in uris:
        _require_redirect_uri(uri)
    return Registration(
        valid_name(registration.name),
        tuple(uris),
        tuple(grants),
        tuple(dict.fromkeys(registration.permissions)),
    )


def _require_redirect_uri(uri: str) -> None:
    """Raises InvalidRequest: plain http elsewhere than on the user's own machine would show the code to the network."""
    try:
        parts = urlsplit(uri)
        is_good = (
            uri.isascii()
            and uri.isprintable()
            and not set(" \"'<>\\^`{|}*;,") & set(uri)
            and len(uri) <= MAX_REDIRECT_URI
            and bool(parts.hostname)
            and parts.port != 0
            and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL))
            and "@" not in parts.netloc
            and "#" not in uri
        )
    except ValueError:
        is_good = False
    if not is_good:
        raise InvalidRequest(
            f"A redirect URI is https://…, or http:// on localhost, of at most {MAX_REDIRECT_URI} characters, without user, "
            "fragment and wildcard.",
            field="redirect_uris",
        )


def _locked(session: Session, client_id: str, tenant_id: uuid.UUID | None) -> OAuthClient:
    wanted = select(OAuthClient).where(OAuthClient.client_id == client_id, OAuthClient.disabled_at.is_(None))
    if tenant_id is not None:
        wanted = wanted.where(OAuthClient.tenant_id == tenant_id)
    client = session.scalars(wanted.with_for_update()).one_or_none()
    if client is None:
        raise NotFound("There is no such application, or it is disabled.")
    return client


def _record(
    session: Session, event_type: EventType, client: OAuthClient, *, operator: Principal, **facts: Any
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(client.tenant_id),
        data={"client_id": client.client_id, **facts},
        now=clock.now(),
        actor=operator,
        tenant_id=client.tenant_id,
        is_public=False,
    )

"""Who is acting: built by a guard or a command, passed through the service, recorded by the event."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from app import ids
from app.errors import PermissionMissing


class Kind(StrEnum):
    """How a principal was identified."""

    USER = "user"
    """By an access token of a session."""

    MEMBER = "member"
    """A user who acts for a tenant: an access token, beside the tenant's API key."""

    API_KEY = "api_key"
    """A tenant's backend, by its API key."""

    OAUTH_CLIENT = "oauth_client"
    """An application, by an access token that a tenant has granted it."""

    DEMO_TENANT = "demo_tenant"
    """The demo tenant's backend, which needs no key in demo mode."""

    TRAVELLER = "traveller"
    """Whoever has a booking's id, or the reference of its payment (document 004)."""

    OPERATOR = "operator"
    """A user with the scope `admin`, or the operating system's user who runs a command."""

    SYSTEM = "system"
    """The gateway itself."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts, for which tenant, with which credential and from which address.

    credential: the id of the session or API key that identified it. name: of a principal that is neither a user nor a
    tenant (`cli:olive`, `system`). scopes: of a member or an API key, what its tenant lets it do; of another user, what a route's
    policy has required and found. permissions: what an API key or an OAuth token is restricted to; None: to nothing.
    requests_per_minute: what an API key may send the Processing API; None: the setting's. reset_at: when the tenant's test data was
    reset, NEVER_RESET where it was not; None for callers of other APIs than the Processing API. address: the client's, as far as
    trusted proxies tell; None where there is no client.
    """

    kind: Kind
    tenant: uuid.UUID | None = None
    user: uuid.UUID | None = None
    credential: uuid.UUID | None = None
    name: str | None = None
    scopes: frozenset[str] = frozenset()
    permissions: frozenset[str] | None = None
    requests_per_minute: int | None = None
    reset_at: datetime | None = None
    address: str | None = None

    @classmethod
    def of_user(cls, user_id: uuid.UUID, session_id: uuid.UUID, address: str | None) -> Principal:
        return cls(Kind.USER, user=user_id, credential=session_id, address=address)

    @classmethod
    def of_api_key(
        cls,
        tenant_id: uuid.UUID,
        key_id: uuid.UUID,
        address: str | None,
        permissions: frozenset[str] | None = None,
    ) -> Principal:
        return cls(
            Kind.API_KEY, tenant=tenant_id, credential=key_id, permissions=permissions, address=address
        )

    @classmethod
    def of_oauth_client(
        cls,
        tenant_id: uuid.UUID,
        client: uuid.UUID,
        grant_id: uuid.UUID,
        permissions: frozenset[str],
        address: str | None,
    ) -> Principal:
        """An application, by an access token of the grant."""
        return cls(
            Kind.OAUTH_CLIENT,
            tenant=tenant_id,
            credential=grant_id,
            name=f"app_{client.hex}",
            permissions=permissions,
            address=address,
        )

    @classmethod
    def of_member(
        cls, tenant_id: uuid.UUID, user_id: uuid.UUID, session_id: uuid.UUID, address: str | None
    ) -> Principal:
        """Its scopes are those of its role, read when it is admitted."""
        return cls(Kind.MEMBER, tenant=tenant_id, user=user_id, credential=session_id, address=address)

    @classmethod
    def of_demo_tenant(cls, tenant_id: uuid.UUID, address: str | None) -> Principal:
        return cls(Kind.DEMO_TENANT, tenant=tenant_id, address=address)

    @classmethod
    def of_traveller(cls, tenant_id: uuid.UUID, address: str | None) -> Principal:
        """Of the booking site that is this tenant. No credential identifies it."""
        return cls(Kind.TRAVELLER, tenant=tenant_id, name="traveller", address=address)

    @classmethod
    def of_command(cls, os_user: str) -> Principal:
        """The operator who runs a command of `flask`."""
        return cls(Kind.OPERATOR, name=f"cli:{os_user}")

    @property
    def tenant_id(self) -> uuid.UUID:
        """The tenant it acts for. Only where the route's guard requires one."""
        assert self.tenant is not None, f"a principal of kind {self.kind} acts for no tenant"
        return self.tenant

    @property
    def user_id(self) -> uuid.UUID:
        """The user it is. Only where the route's guard admits users alone."""
        assert self.user is not None, f"a principal of kind {self.kind} is no user"
        return self.user

    @property
    def session_id(self) -> uuid.UUID:
        """The session of the user it is."""
        assert self.user is not None and self.credential is not None, "only users have sessions"
        return self.credential

    def require(self, permission: str) -> None:
        """Raises PermissionMissing."""
        if self.permissions is not None and permission not in self.permissions:
            raise PermissionMissing(f"This credential lacks the permission {permission}.")

    @property
    def event_actor(self) -> str:
        """What events store as their actor; sealed with them, so a spelling never changes."""
        if self.user is not None:
            return ids.public(ids.USER, self.user)
        if self.name is not None:
            return self.name
        if self.tenant is not None:
            return f"key_{self.credential.hex}" if self.credential else f"tenant_{self.tenant.hex}"
        raise AssertionError("a principal has a user, a tenant or a name")

    @property
    def idempotency_owner(self) -> str:
        """Whose idempotency keys it uses. A tenant's keys belong to the tenant and not to the API key: an API key
        rotated between a request and its retry must not make the retry a new payment. A member's are apart for each tenant."""
        if self.user is not None and self.tenant is not None:
            return f"member\n{self.tenant.hex}\n{self.user.hex}"
        if self.user is not None:
            return f"user\n{self.user.hex}"
        # A reset of test data begins every key anew.
        reset = f"\n{self.reset_at.isoformat()}" if self.reset_at is not None else ""
        if self.kind is Kind.OAUTH_CLIENT:
            return f"client\n{self.tenant_id.hex}\n{self.name}{reset}"
        if self.tenant is not None:
            return f"tenant\n{self.tenant.hex}{reset}"
        return f"{self.kind}\n{self.name}"

    @property
    def rate_limit_bucket(self) -> str:
        """Under what its requests are counted: the user, or the tenant whichever API key it uses."""
        if self.user is not None:
            return self.user.hex
        return f"tenant:{self.tenant_id.hex}"


SYSTEM: Final = Principal(Kind.SYSTEM, name="system")
"""What the gateway does by itself."""

EventActor = Principal | str
"""Whom an event names: a principal, or a part of the gateway by its name (`callback`, `inquiry`)."""


def actor_text(actor: EventActor) -> str:
    """As events and reviews store it."""
    return actor.event_actor if isinstance(actor, Principal) else actor

"""Who is acting: handed from the guard through the service to the event that records it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from app import ids

SYSTEM: Final = "system"
"""The actor of what the gateway does by itself."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A user in a session, from an address (the client's, as far as trusted proxies tell)."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    address: str | None

    @property
    def public_id(self) -> str:
        return ids.public(ids.USER, self.user_id)

    @property
    def principal(self) -> str:
        """Who an idempotency key belongs to."""
        return f"user\n{self.user_id.hex}"


@dataclass(frozen=True, slots=True)
class Merchant:
    """A tenant's backend. key_id: the API key it came with; None where demo mode asks for none.

    Idempotency keys belong to the tenant, not to the API key: a key rotated between a request and its retry must not
    make the retry a new payment.
    """

    tenant_id: uuid.UUID
    key_id: uuid.UUID | None
    address: str | None

    @property
    def public_id(self) -> str:
        return f"key_{self.key_id.hex}" if self.key_id else f"tenant_{self.tenant_id.hex}"

    @property
    def principal(self) -> str:
        return f"tenant\n{self.tenant_id.hex}"

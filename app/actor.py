"""Who is acting: handed from the guard through the service to the event that records it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from app import ids


@dataclass(frozen=True, slots=True)
class Actor:
    """A user in a session, from an address (the client's, as far as trusted proxies tell)."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    address: str | None

    @property
    def public_id(self) -> str:
        return ids.public(ids.USER, self.user_id)

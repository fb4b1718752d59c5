"""The clients of this process: their credentials and their allowance of events."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from app.errors import RateLimitExceeded
from app.principal import Principal
from app.services.identity.tokens import AccessClaims

BURST_EVENTS: Final = 200
"""A page that reconnects subscribes to everything it shows at once."""

EVENTS_PER_S: Final = 20


@dataclass(slots=True)
class Client:
    """`claims`: of the user's access token. `merchant`: by the API key. Neither: the client is anonymous."""

    claims: AccessClaims | None = None
    merchant: Principal | None = None
    _allowance: float = BURST_EVENTS
    _counted_at: float = field(default_factory=time.monotonic)

    def count_event(self) -> None:
        """Take one from the allowance. Raises RateLimitExceeded when it is used up."""
        instant = time.monotonic()
        refilled = self._allowance + (instant - self._counted_at) * EVENTS_PER_S
        self._allowance, self._counted_at = min(refilled, BURST_EVENTS), instant
        if self._allowance < 1:
            raise RateLimitExceeded(f"At most {EVENTS_PER_S} events a second.", retry_after_s=1)
        self._allowance -= 1


class Clients:
    """By Socket.IO session id. Each client's own entry is used by one thread at a time: its events are in order."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()

    def add(self, sid: str, client: Client) -> None:
        with self._lock:
            self._clients[sid] = client

    def get(self, sid: str) -> Client | None:
        return self._clients.get(sid)

    def remove(self, sid: str) -> None:
        with self._lock:
            self._clients.pop(sid, None)

    def signed_in(self) -> dict[str, AccessClaims]:
        """The claims of every client that has signed in, at this moment."""
        with self._lock:
            return {sid: client.claims for sid, client in self._clients.items() if client.claims is not None}

    def anonymous(self) -> list[str]:
        """The clients without any credential."""
        with self._lock:
            return [sid for sid, client in self._clients.items() if not client.claims and not client.merchant]

    def merchants(self) -> dict[str, Principal]:
        """Whose key each client connected with, of those that did."""
        with self._lock:
            return {
                sid: client.merchant for sid, client in self._clients.items() if client.merchant is not None
            }

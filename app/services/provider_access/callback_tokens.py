"""The secret ends of callback URLs. A callback that comes to an operation's own URL is vouched for by it.

Guarantees: the database holds digests, so that who reads it, or a backup, cannot send a callback that is vouched for. An operation's
token is derived from its id under ENCRYPTION_KEY, so its URL can be written again; a callback is found by its digest, whichever
keys there are by then. Rows that were open when digests were introduced hold their token itself.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Final

import structlog
from flask import current_app

from app.crypto import sealer
from app.models.payment import PaymentAttempt, Refund
from app.models.withdrawal import Payout
from app.providers.base import Provider
from app.providers.settings import CALLBACK_URL

_PURPOSE: Final = "callback_token"

_MARK: Final = "sha256:"
"""Begins every digest. No URL ends with it: a token has no colon, so a digest that was read is never a token."""

log = structlog.get_logger("callbacks")


def new_token() -> str:
    """A random one, for a URL that is shown once and never stored; 192 bits."""
    return secrets.token_urlsafe(24)


def digest(token: str) -> str:
    """What the database holds of a token."""
    return _MARK + hashlib.sha256(token.encode()).hexdigest()


def new_digest(operation_id: uuid.UUID) -> str:
    """What the row of a new attempt, refund or payout holds of its token."""
    return digest(next(sealer().derive(purpose=_PURPOSE, row_id=operation_id)))


def token_of(operation_id: uuid.UUID, stored: str) -> str:
    """The token of an attempt, refund or payout, from what its row holds.

    When the key it was derived under is gone, the newest key's, so that the operation can still be queried: a callback to that
    URL is refused.
    """
    if not stored.startswith(_MARK):
        return stored
    tokens = list(sealer().derive(purpose=_PURPOSE, row_id=operation_id))
    found = next((token for token in tokens if digest(token) == stored), None)
    if found is None:
        log.warning("callback.token_not_known", operation=str(operation_id))
    return found or tokens[0]


def callback_url(operation: PaymentAttempt | Refund | Payout, name: str, provider: Provider) -> str:
    """Where the provider `name` reports one operation: the end of the URL is that operation's secret."""
    token = token_of(operation.id, operation.callback_token)
    base = provider.account.get(CALLBACK_URL) or f"{current_app.config['PUBLIC_URL']}/api/v1/webhooks/{name}"
    return f"{base.rstrip('/')}/{token}"

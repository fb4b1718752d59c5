"""The right to watch one payment, made from the payment's id: a realtime token for the page of whoever pays, who sees all of it;
a changes token for a page that others may open too: it learns that the payment has changed, and not what it holds.

Nothing is stored. The keys are derived from SECRET_KEY, each for its purpose alone; a new SECRET_KEY ends every token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from typing import Final

from flask import current_app

_REALTIME: Final = b"malipo realtime token"
_CHANGES: Final = b"malipo changes token"


def realtime_token(payment_id: uuid.UUID) -> str:
    """HMAC-SHA256 over the payment's id."""
    return _token(_REALTIME, payment_id)


def is_realtime_token(payment_id: uuid.UUID, token: str) -> bool:
    """Whether `token` is this payment's realtime token; compared in constant time."""
    return _is_same(realtime_token(payment_id), token)


def changes_token(payment_id: uuid.UUID) -> str:
    """The same, with another key."""
    return _token(_CHANGES, payment_id)


def is_changes_token(payment_id: uuid.UUID, token: str) -> bool:
    """Whether `token` is this payment's changes token; compared in constant time."""
    return _is_same(changes_token(payment_id), token)


def _token(purpose: bytes, payment_id: uuid.UUID) -> str:
    key = hmac.digest(current_app.config["SECRET_KEY"].encode(), purpose, hashlib.sha256)
    digest = hmac.digest(key, payment_id.bytes, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _is_same(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), given.encode(errors="replace"))

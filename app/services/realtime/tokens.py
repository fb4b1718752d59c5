"""The right to watch one payment: a token for the page of whoever pays, made from the payment's id.

Nothing is stored. The key is derived from SECRET_KEY for this purpose alone; a new SECRET_KEY ends every token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from typing import Final

from flask import current_app

_PURPOSE: Final = b"malipo realtime token"


def realtime_token(payment_id: uuid.UUID) -> str:
    """The payment's token: HMAC-SHA256 over its id."""
    key = hmac.digest(current_app.config["SECRET_KEY"].encode(), _PURPOSE, hashlib.sha256)
    digest = hmac.digest(key, payment_id.bytes, hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_realtime_token(payment_id: uuid.UUID, token: str) -> bool:
    """Whether `token` is this payment's; compared in constant time."""
    return hmac.compare_digest(realtime_token(payment_id).encode(), token.encode(errors="replace"))

"""Secrets of endpoints, and what a message is signed with: Standard Webhooks' headers, and `t=,v1=` beside them.

Guarantees: a secret is stored sealed and shown once; while two are valid, every message is signed with both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook

from app.crypto import sealer
from app.models.webhook import WebhookEndpoint

_PURPOSE: Final = "webhook.secret"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """`whsec_` and 256 random bits in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sealed(secret: str, endpoint_id: uuid.UUID) -> bytes:
    """As the endpoint's row has it."""
    return sealer().seal(secret.encode(), purpose=_PURPOSE, row_id=endpoint_id)


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> tuple[str, ...]:
    """Those that sign now, the newest first. Raises CannotOpen."""
    stored = [endpoint.sealed_secret]
    if endpoint.sealed_previous_secret is not None and _is_before(now, endpoint.previous_secret_until):
        stored.append(endpoint.sealed_previous_secret)
    return tuple(sealer().open(one, purpose=_PURPOSE, row_id=endpoint.id).decode() for one in stored)


def headers(message_id: str, body: bytes, *, keys: Sequence[str], now: datetime) -> Mapping[str, str]:
    """What proves who sent the body, and when. keys: of the endpoint, one signature for each."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(message_id, now, body.decode()) for key in keys),
        "X-Webhook-Signature": plain_signature(body, keys=keys, now=now),
    }


def plain_signature(body: bytes, *, keys: Sequence[str], now: datetime) -> str:
    """`t=<unix seconds>,v1=<hex>`, a `v1` for each key: HMAC-SHA256 over `<t>.<body>` under the secret's text."""
    moment = str(int(now.timestamp()))
    signed = moment.encode() + b"." + body
    digests = [hmac.digest(key.encode(), signed, hashlib.sha256).hex() for key in keys]
    return ",".join([f"t={moment}", *(f"v1={digest}" for digest in digests)])


def _is_before(now: datetime, until: datetime | None) -> bool:
    return until is not None and now < until

"""Access tokens: five minutes each, and no call without one."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

from flask import request

from app.sandbox.core import Sandbox
from app.sandbox.pesapal.answers import Document, Refused, seven_digits, unauthorised

LIFE: Final = timedelta(minutes=5)


class Tokens:
    """`/api/Auth/RequestToken`, and the check of what it gave."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def give(self, body: Document) -> Document:
        """A token for the merchant's key and secret. Raises Refused."""
        for name in ("consumer_key", "consumer_secret"):
            given, right = body.get(name), self._sandbox.dashboard.credential("pesapal", name)
            if not isinstance(given, str) or not hmac.compare_digest(given.encode(), right.encode()):
                raise Refused("invalid_consumer_key_or_secret_provided", "")
        token = ".".join(secrets.token_urlsafe(length) for length in (27, 90, 32))
        expires_at = self._sandbox.now() + LIFE
        self._sandbox.store.insert("pesapal", "token", token, {"expires_at": expires_at.isoformat()})
        return {
            "token": token,
            "expiryDate": seven_digits(expires_at),
            "error": None,
            "status": "200",
            "message": "Request processed successfully",
        }

    def require(self) -> None:
        """Raises Refused (401) unless the request bears a token that lives."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        kept = None
        if scheme.lower() == "bearer":
            kept = self._sandbox.store.get("pesapal", "token", token.strip())
        if kept is None or datetime.fromisoformat(kept["expires_at"]) <= self._sandbox.now():
            raise unauthorised()

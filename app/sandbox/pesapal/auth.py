"""Pesapal's access tokens, which are valid for five minutes."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.http import bearer_token, is_equal
from app.sandbox.pesapal.errors import ApiError, invalid_token
from app.sandbox.pesapal.replies import seven_digits
from app.sandbox.store import Document

LIFETIME: Final = timedelta(minutes=5)


class Tokens:
    """Tokens, by their text."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def create(self, request: ApiRequest) -> Document:
        """`POST /api/Auth/RequestToken`: a token for the merchant's key and secret."""
        for name in ("consumer_key", "consumer_secret"):
            given = request.body.get(name)
            expected = self._sandbox.dashboard.credential("pesapal", name)
            if not isinstance(given, str) or not is_equal(given, expected):
                raise ApiError("invalid_consumer_key_or_secret_provided", "")
        token = ".".join(secrets.token_urlsafe(length) for length in (27, 90, 32))
        expires_at = self._sandbox.now() + LIFETIME
        self._sandbox.store.insert("pesapal", "token", token, {"expires_at": expires_at.isoformat()})
        return {
            "token": token,
            "expiryDate": seven_digits(expires_at),
            "error": None,
            "status": "200",
            "message": "Request processed successfully",
        }

    def check(self) -> None:
        """Raises ApiError unless the request has a valid token."""
        token = self._sandbox.store.get("pesapal", "token", bearer_token())
        if token is None or datetime.fromisoformat(token["expires_at"]) <= self._sandbox.now():
            raise invalid_token()

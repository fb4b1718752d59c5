"""Daraja's access tokens: one is valid at a time, for an hour. A new one ends the one before."""

from __future__ import annotations

import secrets
from typing import Final

from flask import request as http_request

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.http import bearer_token, is_equal
from app.sandbox.mpesa.errors import ApiError, invalid_token, wrong_credentials
from app.sandbox.store import Document

LIFETIME_S: Final = 3599
_CURRENT: Final = "current"


class Tokens:
    """The token call."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def create(self, request: ApiRequest) -> Document:
        """`GET /oauth/v1/generate`."""
        credentials = http_request.authorization
        if credentials is None or credentials.type != "basic":
            raise ApiError(400, "400.008.01", "Invalid Authentication passed")
        if request.query.get("grant_type") != "client_credentials":
            raise ApiError(400, "400.008.02", "Invalid grant type passed")
        dashboard = self._sandbox.dashboard
        is_key = is_equal(credentials.username or "", dashboard.credential("mpesa", "consumer_key"))
        is_secret = is_equal(credentials.password or "", dashboard.credential("mpesa", "consumer_secret"))
        if not (is_key and is_secret):
            raise wrong_credentials()
        token = secrets.token_urlsafe(21)
        expires_at = self._sandbox.now().timestamp() + LIFETIME_S
        self._sandbox.store.put("mpesa", "token", _CURRENT, {"token": token, "expires_at": expires_at})
        return {"access_token": token, "expires_in": str(LIFETIME_S)}


def check_token(sandbox: Sandbox) -> None:
    """Raises ApiError unless the request has the valid token."""
    given = bearer_token()
    if not given:
        raise ApiError(404, "404.001.04", "Invalid Authentication Header")
    token = sandbox.store.get("mpesa", "token", _CURRENT)
    if token is None or not is_equal(given, token["token"]):
        raise invalid_token()
    if token["expires_at"] <= sandbox.now().timestamp():
        raise invalid_token()

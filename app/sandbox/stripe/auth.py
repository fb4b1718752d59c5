"""Stripe's authentication: the secret key as a bearer token, or as the user name of basic authentication."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from flask import request

from app.sandbox.core import Sandbox
from app.sandbox.http import bearer_token, is_equal
from app.sandbox.stripe.errors import masked, unauthorized

NO_KEY: Final = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)


def check_key(sandbox: Sandbox) -> None:
    """Raises ApiError (401) unless the request has the secret key."""
    key = bearer_token() or _basic_user_name()
    if not key:
        raise unauthorized(NO_KEY)
    if not is_equal(key, sandbox.dashboard.credential("stripe", "api_key")):
        raise unauthorized(f"Invalid API Key provided: {masked(key)}")


def _basic_user_name() -> str:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""

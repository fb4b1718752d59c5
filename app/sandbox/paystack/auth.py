"""Paystack's authentication: the secret key as a bearer token."""

from __future__ import annotations

from app.sandbox.core import Sandbox
from app.sandbox.http import bearer_token, is_equal
from app.sandbox.paystack.errors import invalid_key


def check_key(sandbox: Sandbox) -> None:
    """Raises ApiError unless the request has the secret key."""
    if not is_equal(bearer_token(), sandbox.dashboard.credential("paystack", "secret_key")):
        raise invalid_key()

"""Chapa's authentication: the secret key as a bearer token."""

from __future__ import annotations

from typing import Final

from flask import request

from app.sandbox.chapa.errors import ApiError, invalid_key
from app.sandbox.core import Sandbox
from app.sandbox.http import bearer_token, is_equal

FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def check_key(sandbox: Sandbox) -> None:
    """Raises ApiError unless the request has the secret key and, for a POST, a content type that Chapa reads."""
    if not request.headers.get("Authorization", "").partition(" ")[2]:
        raise ApiError(401, "Authorization required")
    if not is_equal(bearer_token(), sandbox.dashboard.credential("chapa", "secret_key")):
        raise invalid_key()
    if request.method == "POST" and not request.is_json and request.mimetype not in FORMS:
        raise ApiError(400, "Incorrect header settings. Please set the Content-Type to application/json.")

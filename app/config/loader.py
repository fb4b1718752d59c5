"""Settings: the only reader of the environment. `.env.example` lists every one; a test keeps the two equal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from app.config.database import connect_args, driver_url
from app.config.mail import check_mail
from app.config.secrets import check_secrets
from app.config.setting import ConfigError, mode_of
from app.config.settings import SETTINGS
from app.json_text import json_text


def load(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The settings as a Flask config mapping. Raises ConfigError with a sentence for the operator."""
    environ = os.environ if environ is None else environ
    mode = mode_of(environ)
    values = {setting.name: setting.read(environ, mode) for setting in SETTINGS}
    if not values["DATABASE_URL"]:
        raise ConfigError(
            "DATABASE_URL is not set: give the application's PostgreSQL role, or use `make run`."
        )
    check_secrets(SETTINGS, values, mode)
    check_mail(values)
    return values | _derived(values, mode)


def _derived(values: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """What the libraries want under names of their own."""
    url = driver_url(values["DATABASE_URL"])
    return {
        "IS_DEMO": mode == "demo",
        "IS_PRODUCTION": mode == "production",
        "TESTING": mode == "test",
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": values["DB_POOL_SIZE"],
            "max_overflow": 10,
            "pool_timeout": values["DB_POOL_TIMEOUT_S"],
            "json_serializer": json_text,
            # An error's text names the statement, never its values: customers, secret ends of URLs.
            "hide_parameters": True,
            "connect_args": connect_args(values),
        },
        "OWNER_DATABASE_URI": driver_url(values["DATABASE_OWNER_URL"] or values["DATABASE_URL"]),
        "JWT_ALGORITHM": "HS256",
        # Ages are judged by app/clock.py (services/identity/tokens.py); the leeway is for hosts whose clocks differ.
        "JWT_ENCODE_NBF": False,
        "JWT_DECODE_LEEWAY": 30,
        "JWT_ACCESS_TOKEN_EXPIRES": values["ACCESS_TOKEN_TTL_S"],
        "JWT_REFRESH_TOKEN_EXPIRES": values["REFRESH_TOKEN_TTL_S"],
        "JWT_ENCODE_ISSUER": "malipo",
        "JWT_DECODE_ISSUER": "malipo",
        "JWT_ENCODE_AUDIENCE": "malipo",
        "JWT_DECODE_AUDIENCE": "malipo",
        # Multipart KYC uploads carry the document and a few form fields. werkzeug holds a block of 64 KiB, and what the
        # block before it left, against the limit of form memory, of files too: a lower limit refuses documents.
        "MAX_CONTENT_LENGTH": values["MAX_DOCUMENT_BYTES"] + 65_536,
        "MAX_FORM_MEMORY_SIZE": 131_072,
        "MAX_FORM_PARTS": 16,
        "JSON_SORT_KEYS": False,
    }

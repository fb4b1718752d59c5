"""Settings: the only reader of the environment. `.env.example` lists every one; a test keeps the two equal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from app.config.database import connect_args, driver_url
from app.config.setting import MODES, ConfigError
from app.config.settings import MIN_SECRET_LENGTH, PLACEHOLDERS, SECRETS, SETTINGS
from app.json_text import json_text


def load(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The settings as a Flask config mapping. Raises ConfigError with a sentence for the operator."""
    environ = os.environ if environ is None else environ
    mode = environ.get("GATEWAY_ENV") or "demo"
    if mode not in MODES:
        raise ConfigError(f"GATEWAY_ENV is {mode!r}; it must be one of {', '.join(MODES)}.")
    values = {setting.name: setting.read(environ, mode) for setting in SETTINGS}
    _check_secrets(values, mode)
    if not values["DATABASE_URL"]:
        raise ConfigError(
            "DATABASE_URL is not set: give the application's PostgreSQL role, or use `make run`."
        )
    return values | _derived(values, mode)


def _check_secrets(values: Mapping[str, Any], mode: str) -> None:
    for name in SECRETS:
        value = values[name]
        if value.lower() in PLACEHOLDERS or value.lower().startswith("your-"):
            raise ConfigError(
                f"{name} is not set: put a random value of {MIN_SECRET_LENGTH}+ characters there."
            )
        if mode == "production" and len(value) < MIN_SECRET_LENGTH:
            raise ConfigError(f"{name} is too short: at least {MIN_SECRET_LENGTH} characters.")


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

"""Settings: the only reader of the environment. `.env.example` lists every one; a test keeps the two equal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from app.config.parsing import Setting
from app.config.providers import SANDBOX_SETTINGS
from app.config.settings import MIN_SECRET_LENGTH, MODES, PLACEHOLDERS, SECRETS, SETTINGS
from app.json_text import json_text


class ConfigError(Exception):
    """The environment cannot be served with. The message names the setting and says what to do."""


def load(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The settings as a Flask config mapping. Raises ConfigError with a sentence for the operator."""
    environ = os.environ if environ is None else environ
    mode = environ.get("GATEWAY_ENV") or "demo"
    if mode not in MODES:
        raise ConfigError(f"GATEWAY_ENV is {mode!r}; it must be one of {', '.join(MODES)}.")
    values = {setting.name: _value(setting, environ, mode) for setting in SETTINGS}
    _check_secrets(values, mode)
    if not values["DATABASE_URL"]:
        raise ConfigError(
            "DATABASE_URL is not set: give the application's PostgreSQL role, or use `make run`."
        )
    return values | _derived(values, mode)


def load_sandbox(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the simulators' process needs, without the application's secrets. Raises ConfigError, in production too."""
    environ = os.environ if environ is None else environ
    mode = environ.get("GATEWAY_ENV") or "demo"
    if mode not in ("demo", "test"):
        raise ConfigError("The provider simulators run in demo and test mode only (GATEWAY_ENV).")
    names = {setting.name for setting in SANDBOX_SETTINGS} | {"VAR_DIR", "LOG_LEVEL"}
    return {setting.name: _value(setting, environ, mode) for setting in SETTINGS if setting.name in names}


def _value(setting: Setting, environ: Mapping[str, str], mode: str) -> Any:
    fallback = (
        setting.production if mode == "production" and setting.production is not None else setting.default
    )
    text = environ.get(setting.name, "").strip() or fallback
    try:
        return setting.parse(text)
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"{setting.name} cannot be read: {error}.") from error


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
        # Multipart KYC uploads carry the document and a few form fields.
        "MAX_CONTENT_LENGTH": values["MAX_DOCUMENT_BYTES"] + 65_536,
        "MAX_FORM_MEMORY_SIZE": 65_536,
        "JSON_SORT_KEYS": False,
    }


APPLICATION_ROLE: Final = "malipo_app"
"""The PostgreSQL role every request runs as: it reads, and changes the ledger only through its functions."""


def connect_args(values: Mapping[str, Any]) -> dict[str, Any]:
    """libpq arguments of the application's connections: its role and the limits of every transaction."""
    options = {
        "role": APPLICATION_ROLE,
        "timezone": "UTC",
        "lock_timeout": values["DB_LOCK_TIMEOUT_MS"],
        "statement_timeout": values["DB_STATEMENT_TIMEOUT_MS"],
        "transaction_timeout": TRANSACTION_TIMEOUT_S * 1000,
        "idle_in_transaction_session_timeout": TRANSACTION_TIMEOUT_S * 1000,
    }
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        "application_name": "malipo",
        "connect_timeout": 5,
    }


TRANSACTION_TIMEOUT_S: Final = 60
"""No transaction of the application lives longer; the relay counts on it when an outbox number stays missing."""


def driver_url(url: str) -> str:
    """`postgresql://…` or `postgres://…` with the psycopg2 driver named, as SQLAlchemy wants it."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg2://" + url.removeprefix(prefix)
    return url

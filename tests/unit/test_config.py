"""The environment: read once, refused with a sentence."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.config import settings
from app.config.database import driver_url
from app.config.loader import load
from app.config.setting import ConfigError

COMPLETE = {
    "GATEWAY_ENV": "production",
    "SECRET_KEY": "s" * 40,
    "JWT_SECRET_KEY": "j" * 40,
    "ENCRYPTION_KEY": "e" * 43 + "=",
    "AUDIT_KEY": "a" * 64,
    "DATABASE_URL": "postgresql://malipo_app@db/malipo",
}


def test_production_starts_with_real_secrets_only() -> None:
    values = load(COMPLETE)
    assert values["IS_PRODUCTION"]
    assert not values["DIRECT_FUNDING"]
    assert values["KYC_AUTO_VERIFY_S"] is None
    assert values["JWT_ACCESS_TOKEN_EXPIRES"] == 900


@pytest.mark.parametrize("name", settings.SECRETS)
@pytest.mark.parametrize(
    "value", ["", "change-me", "Secret", "DEV", "your-secret-key-here-123456789012345", "short"]
)
def test_production_refuses_a_default_or_missing_secret(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load(COMPLETE | {name: value})


@pytest.mark.parametrize("name", settings.SECRETS)
def test_no_mode_starts_without_a_secret(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load(COMPLETE | {"GATEWAY_ENV": "demo", name: "change-me"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_ENV", "prod"),
        ("WEB_WORKERS", "two"),
        ("DIRECT_FUNDING", "perhaps"),
        ("USD_RATES", "{"),
        ("USD_RATES", '{"EUR": "abc"}'),
        ("USD_RATES", '{"EUR": 1e1999999}'),
        ("USD_RATES", '{"EUR": "1e999999"}'),
        ("ROUTING_COSTS", f'{{"paystack": {{"NGN": [{"9" * 5000}, 0]}}}}'),
        ("KYC_AUTO_VERIFY_S", "soon"),
        ("DATABASE_URL", ""),
    ],
)
def test_what_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load(COMPLETE | {name: value})


def test_an_error_never_shows_a_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        load(COMPLETE | {"JWT_SECRET_KEY": "tooshort-but-mine"})
    assert "tooshort-but-mine" not in str(caught.value)


def test_demo_has_the_settings_of_a_demo() -> None:
    values = load(COMPLETE | {"GATEWAY_ENV": "demo"})
    assert values["IS_DEMO"]
    assert values["DIRECT_FUNDING"]
    assert values["REALTIME"] == "embedded"
    assert values["USD_RATES"]["KES"] == Decimal("0.0077")


def test_every_connection_is_the_applications_role_with_limits() -> None:
    options = load(COMPLETE)["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]["options"]
    for part in ("role=malipo_app", "timezone=UTC", "lock_timeout=2000", "transaction_timeout=60000"):
        assert f"-c {part}" in options


def test_either_spelling_of_a_postgres_url_is_taken() -> None:
    assert driver_url("postgres://a@b/c") == driver_url("postgresql://a@b/c")

"""The environment: read once, refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from app.config import settings
from app.config.database import driver_url
from app.config.loader import load
from app.config.sandbox import load_sandbox
from app.config.setting import ConfigError
from tests.support.servers import SECRETS

COMPLETE = {**SECRETS, "GATEWAY_ENV": "production", "DATABASE_URL": "postgresql://malipo_app@db/malipo"}

PASSWORD = "Ef2-kq9Lw0sXyRz81"


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


@pytest.mark.parametrize("read", [load, load_sandbox], ids=["gateway", "simulators"])
@pytest.mark.parametrize("mode", [None, "", " "])
def test_without_a_mode_nothing_starts(read: Callable[[dict[str, str]], object], mode: str | None) -> None:
    """It was a demo, which lets everybody in: a production only had to lose one variable."""
    environ = {name: value for name, value in COMPLETE.items() if name != "GATEWAY_ENV"}
    if mode is not None:
        environ["GATEWAY_ENV"] = mode
    with pytest.raises(ConfigError, match="GATEWAY_ENV is not set: set it to production, or to demo"):
        read(environ)


GUESSABLE = [
    "a" * 64,
    "ab" * 32,
    "test-1234-test-1234-" * 2,
    "change-me" * 6,
    "x-your-secret-key-here-" + "1" * 40,
]


@pytest.mark.parametrize("name", settings.SECRETS)
@pytest.mark.parametrize("value", GUESSABLE)
def test_production_refuses_a_secret_that_can_be_guessed(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        load(COMPLETE | {name: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://malipo_app:{}@db/malipo"),
        ("DATABASE_URL", "postgresql://db/malipo?user=malipo_app&password={}"),
        ("DATABASE_OWNER_URL", "postgresql://malipo_owner:{}@db/malipo"),
        ("REDIS_URL", "redis://:{}@redis:6379/0"),
    ],
)
def test_production_refuses_a_weak_password_in_a_url(name: str, url: str) -> None:
    for password in ("change-me", "change%2Dme", "a" * 40, "short-9Lw0sXy", "change-me-change-me"):
        with pytest.raises(ConfigError, match=f"The password in {name}") as caught:
            load(COMPLETE | {name: url.format(password)})
        assert password not in str(caught.value)
    load(COMPLETE | {name: url.format(PASSWORD)})
    load(COMPLETE | {"GATEWAY_ENV": "demo", name: url.format("short")})


def test_no_two_secrets_are_the_same() -> None:
    """Who learns one would have the other. Providers' own values may be one; a role has one password."""
    app_url, owner_url = (
        f"postgresql://{role}:{PASSWORD}@db/malipo" for role in ("malipo_app", "malipo_owner")
    )
    key = SECRETS["SECRET_KEY"]
    for first, second, environ in (
        ("SECRET_KEY", "JWT_SECRET_KEY", {"JWT_SECRET_KEY": key}),
        ("SECRET_KEY", "DATABASE_URL", {"DATABASE_URL": app_url.replace(PASSWORD, key)}),
        ("DATABASE_URL", "DATABASE_OWNER_URL", {"DATABASE_URL": app_url, "DATABASE_OWNER_URL": owner_url}),
        ("DATABASE_URL", "REDIS_URL", {"DATABASE_URL": app_url, "REDIS_URL": f"redis://:{PASSWORD}@redis"}),
        ("SECRET_KEY", "CHAPA_WEBHOOK_SECRET", {"CHAPA_WEBHOOK_SECRET": key}),
    ):
        with pytest.raises(ConfigError, match=f"{first} and {second} hold the same secret") as caught:
            load(COMPLETE | environ)
        assert key not in str(caught.value) and PASSWORD not in str(caught.value)
    load(COMPLETE | {"DATABASE_URL": app_url, "DATABASE_OWNER_URL": app_url})
    load(COMPLETE | {"CHAPA_WEBHOOK_SECRET": "one-for-both", "CHAPA_APPROVAL_SECRET": "one-for-both"})


@pytest.mark.parametrize("value", ["change-me", "your-webhook-secret", "aaaaaaaaaaaa"])
def test_production_refuses_a_provider_s_secret_that_is_an_example(value: str) -> None:
    with pytest.raises(ConfigError, match="CHAPA_WEBHOOK_SECRET is an example"):
        load(COMPLETE | {"CHAPA_WEBHOOK_SECRET": value})


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

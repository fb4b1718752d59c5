"""`.env.example` names every setting, and nothing else; production starts from no placeholder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from app.config.loader import ConfigError, load
from app.config.settings import SECRETS, SETTINGS
from app.providers import PROVIDERS
from app.providers.environments import LIVE, contradiction
from app.services.provider_access.accounts import MOCKS

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
COMPOSE_ONLY = {
    "POSTGRES_PASSWORD",
    "MALIPO_OWNER_PASSWORD",
    "MALIPO_APP_PASSWORD",
    "REDIS_PASSWORD",
    "PUBLISH",
}
"""Read by docker-compose.yml, not by the application."""


def _example() -> dict[str, str]:
    lines = (line.partition("=") for line in EXAMPLE.splitlines() if re.match(r"[A-Z]", line))
    return {name: value for name, _, value in lines}


def test_example_and_settings_list_the_same_names() -> None:
    assert set(_example()) - COMPOSE_ONLY == {setting.name for setting in SETTINGS}


def test_compose_asks_for_nothing_the_example_does_not_name() -> None:
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE))
    assert asked and asked <= set(_example())
    assert asked >= COMPOSE_ONLY


def test_no_mode_in_compose_sees_the_data_of_another() -> None:
    """Compose's demo and production are the same services: only the names of their volumes keep them apart."""
    mode = "${GATEWAY_ENV:-production}"
    compose = yaml.safe_load(COMPOSE)
    mounted = [volume for service in compose["services"].values() for volume in service.get("volumes", ())]
    named = {volume.rpartition(":/")[0] for volume in mounted if not volume.startswith((".", "/"))}
    assert len(named) == 2 and all(volume.endswith(f"-{mode}") for volume in named), named
    of_modes = {name: {volume.replace(mode, name) for volume in named} for name in ("demo", "production")}
    assert not of_modes["demo"] & of_modes["production"]
    assert set(compose["volumes"]) == of_modes["demo"] | of_modes["production"]


def test_production_does_not_start_from_the_example() -> None:
    with pytest.raises(ConfigError, match="not set"):
        load(_example())


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_must_be_replaced(name: str) -> None:
    filled = _example() | dict.fromkeys(SECRETS, "x" * 40)
    load(filled)
    with pytest.raises(ConfigError, match=name):
        load(filled | {name: _example()[name]})
    with pytest.raises(ConfigError, match=name):
        load(filled | {name: "short"})


def test_the_example_shows_production_s_defaults() -> None:
    """Where a default is not text of its own (an address, a rate), the example and the code say the same."""
    differing = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "USD_RATES", *SECRETS}
    for setting in SETTINGS:
        if setting.name in differing or setting.name == "GATEWAY_ENV":
            continue
        default = setting.default if setting.production is None else setting.production
        assert _example()[setting.name] == default, setting.name


def test_every_provider_setting_is_one_of_the_environment() -> None:
    names = {setting.name for setting in SETTINGS}
    asked = {
        f"{name.upper()}_{setting.name.upper()}"
        for name, adapter in PROVIDERS.items()
        for setting in adapter.settings
    } | {f"{name.upper()}_{word}" for name in PROVIDERS for word in ("ENV", "BASE_URL")}
    assert asked - names == set()


def test_no_credential_of_the_demo_is_taken_for_a_live_one() -> None:
    """They are in this file's repository: anybody can sign a callback with them."""
    defaults = {setting.name: setting.default for setting in SETTINGS}
    for name, adapter in PROVIDERS.items():
        secrets = [one for one in adapter.settings if one.is_secret and name not in MOCKS]
        for one in secrets:
            value = defaults[f"{name.upper()}_{one.name.upper()}"]
            found = contradiction(adapter, LIVE, {one.name: value}, adapter.base_urls[LIVE])
            assert found is not None or not value, f"{name}'s {one.name}"

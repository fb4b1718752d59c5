"""`.env.example` names every setting, and nothing else; production starts from no placeholder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from app.config.loader import load
from app.config.sandbox import SANDBOX_SETTINGS
from app.config.setting import ConfigError
from app.config.settings import SECRETS, SETTINGS
from app.providers import PROVIDERS
from app.providers.base import Provider
from app.providers.environments import LIVE
from app.providers.settings import CALLBACK_IPS, CALLBACK_URL
from scaffold.settings import compose_lines, example_section
from tests.support import servers
from tests.support.providers import make_provider

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
COMPOSE_ONLY = {
    "POSTGRES_PASSWORD",
    "MALIPO_OWNER_PASSWORD",
    "MALIPO_APP_PASSWORD",
    "REDIS_PASSWORD",
    "PUBLISH",
    "PROXIES_IN_FRONT",
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
    urls = {
        "DATABASE_URL": "postgresql://malipo_app:Ef2-kq9Lw0sXyRz81@postgres/malipo",
        "DATABASE_OWNER_URL": "postgresql://malipo_owner:Ww1-hx7PzbQe4vT62@postgres/malipo",
    }
    filled = _example() | servers.SECRETS | urls
    load(filled)
    for url in urls:
        with pytest.raises(ConfigError, match=f"password in {url} is an example"):
            load(filled | {url: _example()[url]})
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


def test_the_owner_s_url_is_the_migration_s_alone() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    having = {
        name for name, service in services.items() if "DATABASE_OWNER_URL" in service.get("environment", {})
    }
    assert having == {"migrate"}


@pytest.mark.parametrize("adapter", PROVIDERS.values(), ids=list(PROVIDERS))
def test_example_and_compose_come_from_the_adapters(adapter: type[Provider]) -> None:
    assert example_section(adapter) in EXAMPLE, example_section(adapter)
    assert compose_lines(adapter) in COMPOSE, compose_lines(adapter)


def test_compose_passes_every_setting_but_those_it_makes_itself() -> None:
    passed = set(re.findall(r"^  ([A-Z0-9_]+): ", COMPOSE.partition("x-owner")[0], re.M))
    of_processes = {"FLASK_APP", "FLASK_ENV", "VAR_DIR", "BIND", "REALTIME_BIND", "DATABASE_OWNER_URL"}
    of_simulators = {setting.name for setting in SANDBOX_SETTINGS} - {"SANDBOX_URL"}
    assert passed == {setting.name for setting in SETTINGS} - of_processes - of_simulators


@pytest.mark.parametrize("adapter", PROVIDERS.values(), ids=list(PROVIDERS))
def test_every_setting_of_an_account_is_read(adapter: type[Provider]) -> None:
    """One that is only required switches the provider on. Account raises KeyError for a setting that is not declared."""
    package = (ROOT / "app/providers" / adapter.name).glob("*.py")
    sources = "".join(path.read_text() for path in package)
    read = set(re.findall(r"""account\["(\w+)"\]""", sources)) | {CALLBACK_IPS, CALLBACK_URL}
    unread = {one.name for one in adapter.settings if not one.is_required} - read
    assert not unread
    assert read - {CALLBACK_IPS, CALLBACK_URL} <= {one.name for one in adapter.settings}


def test_an_undeclared_setting_is_not_read_as_an_empty_one() -> None:
    account = make_provider(PROVIDERS["paystack"], secret_key="sk_test_key").account
    assert account["channels"] == ""
    with pytest.raises(KeyError):
        account["chanels"]


def test_no_credential_of_the_demo_is_taken_for_a_live_one() -> None:
    """They are in this file's repository: anyone can sign a callback with them."""
    for name, adapter in PROVIDERS.items():
        for one in adapter.settings:
            if one.is_secret and one.demo and adapter.capabilities.moves_real_money:
                found = adapter.contradiction(LIVE, {one.name: one.demo}, adapter.base_urls[LIVE])
                assert found is not None, f"{name}'s {one.name}"

"""The adapters of this process: the platform's accounts from the environment, tenants' own from their sealed rows.

Guarantees: no adapter is made for credentials that contradict the account's environment, and in production none that moves
no real money, unless ALLOW_TEST_PROVIDERS is set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from flask import Flask, current_app

from app.config.setting import ConfigError
from app.crypto import CannotOpen, sealer
from app.errors import ProviderNotConfigured
from app.models.tenant import ProviderAccount
from app.providers import PROVIDERS
from app.providers.base import CallRecord, Context, Provider
from app.providers.environments import BASE_URL, LIVE, SANDBOX, Contradiction, ContradictoryAccount
from app.providers.settings import Account
from app.services.provider_access import health
from app.services.provider_access.cache import BoundedCache
from app.services.provider_access.tokens import SharedTokens

PURPOSE: Final = "provider account"
"""What tenants' credentials are sealed for."""

MAX_ADAPTERS: Final = 256
"""Adapters that a process keeps; the one that was not used for the longest time is dropped first."""

log = structlog.get_logger("providers")


class Adapters:
    """The process's adapters, each made once for an account and what it is configured with."""

    def __init__(self, app: Flask) -> None:
        self._config = app.config
        self._made = BoundedCache[Provider](MAX_ADAPTERS)
        tokens = SharedTokens(app.config["REDIS_URL"], app.extensions["sealer"])
        self._context = Context(tokens=tokens, observe=_observe, timeout_s=app.config["PROVIDER_TIMEOUT_S"])
        self._require_consistent()
        self._warn_of_incomplete()

    def _require_consistent(self) -> None:
        """Raises ConfigError for a setting of the platform's own accounts that contradicts their environment."""
        for name, adapter in PROVIDERS.items():
            environment, values = self._environment(name), self._values(name)
            base_url = self._base_url(name, environment)
            found = adapter.contradiction(environment, values, base_url)
            if found is None and self._is_simulated_in_production(base_url, environment):
                found = Contradiction(BASE_URL, "is the address of the simulators")
            if found is not None:
                prefix = name.upper()
                raise ConfigError(
                    f"{prefix}_{found.setting.upper()} {found.why}, and {prefix}_ENV is {environment}: "
                    "correct the one or the other."
                )

    def _is_simulated_in_production(self, base_url: str, environment: str) -> bool:
        """Elsewhere all money is the simulators', whatever the environment is called."""
        is_real = self._config["IS_PRODUCTION"] and environment == LIVE
        return is_real and urlsplit(base_url).netloc == urlsplit(self._config["SANDBOX_URL"]).netloc

    def _warn_of_incomplete(self) -> None:
        """A provider with some of its required settings is not offered, like one with none, but is reported: it was probably meant to be."""
        for name, adapter in PROVIDERS.items():
            required = [f"{name.upper()}_{s.name.upper()}" for s in adapter.settings if s.is_required]
            missing = [setting for setting in required if not self._config.get(setting)]
            if 0 < len(missing) < len(required):
                log.warning("provider.half_configured", provider=name, missing=", ".join(missing))

    def platform(self, name: str) -> Provider | None:
        """The adapter on the environment's settings, None where a required one is empty.

        Raises ProviderNotConfigured for a setting that cannot be read.
        """
        environment = self._environment(name)
        if not self.may_use(name, environment):
            return None
        values = self._values(name)
        if any(s.is_required and not values[s.name] for s in PROVIDERS[name].settings):
            return None
        return self._adapter(name, "platform", environment, values)

    def _environment(self, name: str) -> str:
        return str(self._config.get(f"{name.upper()}_ENV") or SANDBOX)

    def _values(self, name: str) -> dict[str, str]:
        return {
            s.name: str(self._config.get(f"{name.upper()}_{s.name.upper()}", ""))
            for s in PROVIDERS[name].settings
        }

    def may_use(self, name: str, environment: str) -> bool:
        """In production test money must not become a balance: sandboxes and mocks need ALLOW_TEST_PROVIDERS."""
        is_real = environment == LIVE and PROVIDERS[name].capabilities.moves_real_money
        return is_real or not self._config["IS_PRODUCTION"] or self._config["ALLOW_TEST_PROVIDERS"]

    def require_usable(self, name: str, environment: str) -> None:
        """Raises ProviderNotConfigured."""
        if not self.may_use(name, environment):
            raise ProviderNotConfigured(
                f"{PROVIDERS[name].title} ({environment}) moves no real money, and ALLOW_TEST_PROVIDERS is off."
            )

    def own(self, account: ProviderAccount) -> Provider:
        """The adapter on a tenant's own account. Raises ProviderNotConfigured: its credentials cannot be decrypted or read."""
        try:
            values = json.loads(sealer().open(account.sealed, purpose=PURPOSE, row_id=account.id))
        except CannotOpen as error:
            log.error("provider_account.undecryptable", account=str(account.id), provider=account.provider)
            raise ProviderNotConfigured(
                f"The credentials of this {PROVIDERS[account.provider].title} account cannot be decrypted."
            ) from error
        return self._adapter(account.provider, str(account.id), account.environment, values)

    def trial(self, name: str, environment: str, values: Mapping[str, str]) -> None:
        """Make the adapter and forget it. Raises ValueError for values it cannot work with, or that contradict the
        environment."""
        account = Account("trial", environment, self._base_url(name, environment), dict(values))
        PROVIDERS[name](account, self._context)

    def _adapter(self, name: str, account_id: str, environment: str, values: Mapping[str, str]) -> Provider:
        base_url = self._base_url(name, environment)
        key = self._made.key(
            name, account_id, environment, base_url, json.dumps(dict(values), sort_keys=True)
        )
        return self._made.get(
            key, lambda: self._new(name, Account(account_id, environment, base_url, dict(values)))
        )

    def _new(self, name: str, account: Account) -> Provider:
        try:
            return PROVIDERS[name](account, self._context)
        except ContradictoryAccount as error:
            log.error("provider_account.contradictory", account=account.id, provider=name, why=str(error))
            raise ProviderNotConfigured(
                f"This {PROVIDERS[name].title} account is not usable: {error}"
            ) from error
        except ValueError as error:
            log.error("provider_account.unreadable", account=account.id, provider=name, why=str(error))
            raise ProviderNotConfigured(
                f"A setting of this {PROVIDERS[name].title} account cannot be read."
            ) from error

    def _base_url(self, name: str, environment: str) -> str:
        adapter = PROVIDERS[name]
        if given := self._config.get(f"{name.upper()}_BASE_URL"):
            return str(given).rstrip("/")
        if not self._config["IS_PRODUCTION"]:
            return f"{self._config['SANDBOX_URL'].rstrip('/')}/{name}{adapter.simulator_path}"
        return adapter.base_urls[environment]


def init(app: Flask) -> None:
    """Bind the application's own. Adapters are made when they are first needed. Raises ConfigError."""
    app.extensions["provider_adapters"] = Adapters(app)


def adapters() -> Adapters:
    """The application's own."""
    bound: Adapters = current_app.extensions["provider_adapters"]
    return bound


_TROUBLE: Final = frozenset({"unavailable", "unknown", "auth_failed", "rate_limited", "wrong_environment"})


def _observe(record: CallRecord) -> None:
    metrics: Any = current_app.extensions.get("metrics")
    if metrics is not None:
        metrics.count_provider_call(record.provider, record.operation, record.outcome, record.duration_s)
    health.record(record.provider, ok=record.outcome not in _TROUBLE)

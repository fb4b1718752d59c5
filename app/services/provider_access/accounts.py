"""Which account at a provider a payment goes through: the tenant's own, or the house's from the environment.

Guarantees: credentials at rest are sealed to their row; an attempt is always asked about on the account it was made on,
whatever was configured since.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from flask import Flask, current_app
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock, ids
from app.config.loader import ConfigError
from app.crypto import CannotOpen, sealer
from app.errors import InvalidRequest, NotFound, ProviderNotConfigured
from app.events import outbox
from app.events.catalogue import EventType
from app.models.payment import PaymentAttempt
from app.models.tenant import ProviderAccount, Tenant
from app.providers import PROVIDERS
from app.providers.base import Account, CallRecord, Context, Provider
from app.providers.environments import (
    BASE_URL,
    LIVE,
    SANDBOX,
    Contradiction,
    ContradictoryAccount,
    contradiction,
)
from app.services.provider_access import health
from app.services.provider_access.tokens import SharedTokens
from app.unit_of_work import reading, transaction

ALIASES: Final[Mapping[str, str]] = {"visa": "stripe"}
"""Words of document 001 for providers that have another name."""

MOCKS: Final = frozenset({"cpay"})
"""Adapters that move no money anywhere."""

MAX_READERS: Final = 20
"""Tenants' accounts that are tried to read an unsigned callback with: any that can be opened will do."""

_PURPOSE: Final = "provider account"

log = structlog.get_logger("providers")


@dataclass(frozen=True, slots=True)
class BoundProvider:
    """An adapter on an account. account_id: the tenant's own, None for the house's."""

    provider: Provider
    account_id: uuid.UUID | None

    @property
    def environment(self) -> str:
        return self.provider.account.environment


class Accounts:
    """The process's adapters, made once for each account."""

    def __init__(self, app: Flask) -> None:
        self._config = app.config
        self._made: dict[tuple[str, str, str, str], Provider] = {}
        tokens = SharedTokens(app.config["REDIS_URL"], app.extensions["sealer"])
        self._context = Context(tokens=tokens, observe=_observe, timeout_s=app.config["PROVIDER_TIMEOUT_S"])
        self._require_consistent()
        self._warn_of_halves()

    def _require_consistent(self) -> None:
        """Raises ConfigError for a setting of the platform's own accounts that contradicts their environment."""
        for name, adapter in PROVIDERS.items():
            environment, values = self._environment(name), self._values(name)
            base_url = self._base_url(name, environment)
            found = contradiction(adapter, environment, values, base_url)
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

    def _warn_of_halves(self) -> None:
        """A provider with some of its required settings is not offered, as one with none: here somebody meant it."""
        for name, adapter in PROVIDERS.items():
            required = [f"{name.upper()}_{s.name.upper()}" for s in adapter.settings if s.is_required]
            missing = [setting for setting in required if not self._config.get(setting)]
            if 0 < len(missing) < len(required):
                log.warning("provider.half_configured", provider=name, missing=", ".join(missing))

    def house(self, name: str) -> Provider | None:
        """The adapter on the environment's settings, None where a required one is empty.

        Raises ProviderNotConfigured for a setting that cannot be read.
        """
        environment = self._environment(name)
        if not self.may_use(name, environment):
            return None
        values = self._values(name)
        if any(s.is_required and not values[s.name] for s in PROVIDERS[name].settings):
            return None
        return self._adapter(name, "house", environment, values)

    def _environment(self, name: str) -> str:
        return str(self._config.get(f"{name.upper()}_ENV") or SANDBOX)

    def _values(self, name: str) -> dict[str, str]:
        return {
            s.name: str(self._config.get(f"{name.upper()}_{s.name.upper()}", ""))
            for s in PROVIDERS[name].settings
        }

    def may_use(self, name: str, environment: str) -> bool:
        """In production play money must not become a balance: sandboxes and the mock need ALLOW_TEST_PROVIDERS."""
        is_real = environment == LIVE and name not in MOCKS
        return is_real or not self._config["IS_PRODUCTION"] or self._config["ALLOW_TEST_PROVIDERS"]

    def require_usable(self, name: str, environment: str) -> None:
        """Raises ProviderNotConfigured."""
        if not self.may_use(name, environment):
            raise ProviderNotConfigured(
                f"{PROVIDERS[name].title} ({environment}) moves no real money, and ALLOW_TEST_PROVIDERS is off."
            )

    def own(self, account: ProviderAccount) -> Provider:
        """The adapter on a tenant's own account. Raises ProviderNotConfigured: its credentials cannot be opened or read."""
        try:
            values = json.loads(sealer().open(account.sealed, purpose=_PURPOSE, row_id=account.id))
        except CannotOpen as error:
            log.error("provider_account.sealed", account=str(account.id), provider=account.provider)
            raise ProviderNotConfigured(
                f"The credentials of this {PROVIDERS[account.provider].title} account cannot be opened."
            ) from error
        return self._adapter(account.provider, str(account.id), account.environment, values)

    def trial(self, name: str, environment: str, values: Mapping[str, str]) -> None:
        """Make the adapter and forget it. Raises ValueError for values it cannot work with, or that contradict the
        environment."""
        account = Account("trial", environment, self._base_url(name, environment), dict(values))
        PROVIDERS[name](account, self._context)

    def _adapter(self, name: str, account_id: str, environment: str, values: Mapping[str, str]) -> Provider:
        key = (name, account_id, environment, json.dumps(dict(values), sort_keys=True))
        made = self._made.get(key)
        if made is None:
            account = Account(account_id, environment, self._base_url(name, environment), dict(values))
            made = self._made.setdefault(key, self._new(name, account))
        return made

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
    app.extensions["provider_accounts"] = Accounts(app)


def for_tenant(tenant_id: uuid.UUID, name: str) -> BoundProvider:
    """What a new payment of this tenant goes through. Raises ProviderNotConfigured."""
    name = ALIASES.get(name, name)
    account = _active(tenant_id).get(name)
    if account is not None:
        _accounts().require_usable(name, account.environment)
        return BoundProvider(_accounts().own(account), account.id)
    provider = _accounts().house(name) if name in PROVIDERS else None
    if provider is None:
        raise ProviderNotConfigured(f"Provider {name} is not configured.", field="provider")
    return BoundProvider(provider, None)


def available(tenant_id: uuid.UUID) -> dict[str, BoundProvider]:
    """Every provider the tenant can use, in the registry's order. One that cannot be set up is left out."""
    own = _active(tenant_id)
    found: dict[str, BoundProvider] = {}
    for name in PROVIDERS:
        try:
            bound = _bound(name, own.get(name))
        except ProviderNotConfigured as error:
            log.warning("provider_account.left_out", provider=name, why=error.message)
            continue
        if bound is not None:
            found[name] = bound
    return found


def _bound(name: str, own: ProviderAccount | None) -> BoundProvider | None:
    """On the tenant's own account where it has one, never on the house's in its place. Raises ProviderNotConfigured."""
    if own is None:
        provider = _accounts().house(name)
        return None if provider is None else BoundProvider(provider, None)
    if not _accounts().may_use(name, own.environment):
        return None
    return BoundProvider(_accounts().own(own), own.id)


def of_attempt(attempt: PaymentAttempt) -> Provider:
    """The adapter an attempt was begun on, and nothing else. Raises ProviderNotConfigured."""
    provider = of_account(attempt.provider, attempt.account_id)
    if provider.account.environment != attempt.environment:
        # What was begun in the sandbox must not be asked for, or sent again, where the money is real; nor vice versa.
        raise ProviderNotConfigured(
            f"This was begun in the {attempt.environment} environment of {provider.title}, which is not in use now."
        )
    return provider


def of_account(name: str, account_id: uuid.UUID | None) -> Provider:
    """The adapter on this account. Raises ProviderNotConfigured."""
    if account_id is not None:
        with reading() as session:
            account = session.get(ProviderAccount, account_id)
        if account is None:
            raise ProviderNotConfigured(f"The account of provider {name} is gone.")
        return _accounts().own(account)
    provider = _accounts().house(name) if name in PROVIDERS else None
    if provider is None:
        raise ProviderNotConfigured(f"Provider {name} is not configured.")
    return provider


def any_account(name: str) -> Provider:
    """The house's account, or where there is none any tenant's: to read a callback that came to the provider's common
    address. A signature is then one of the house's or none. Raises ProviderNotConfigured."""
    provider = _accounts().house(name)
    if provider is not None:
        return provider
    wanted = select(ProviderAccount).where(ProviderAccount.provider == name, ProviderAccount.is_active)
    with reading() as session:
        accounts = session.scalars(wanted.order_by(ProviderAccount.id).limit(MAX_READERS)).all()
    for account in () if PROVIDERS[name].capabilities.signs_callbacks else accounts:
        try:
            return _accounts().own(account)
        except ProviderNotConfigured:
            log.warning("provider_account.left_out", provider=name, account=str(account.id))
    raise ProviderNotConfigured(f"Provider {name} is not configured.")


def by_callback_token(name: str, token: str) -> uuid.UUID | None:
    """The tenant account whose webhook URL ends with this token."""
    wanted = select(ProviderAccount.id).where(
        ProviderAccount.provider == name, ProviderAccount.callback_token == token
    )
    with reading() as session:
        return session.scalars(wanted).one_or_none()


def set_account(
    tenant_id: uuid.UUID, name: str, values: Mapping[str, str], *, environment: str, operator: str
) -> str:
    """Store a tenant's own credentials and use them for new payments; the end of its webhook URL.

    The account used so far stays for what was begun on it. Raises NotFound, InvalidRequest (missing or unknown names).
    """
    adapter = PROVIDERS.get(name)
    if adapter is None:
        raise InvalidRequest(f"There is no provider {name}.", field="provider")
    known = {setting.name: setting for setting in adapter.settings}
    if unknown := sorted(set(values) - set(known)):
        raise InvalidRequest(f"{adapter.title} has no setting {', '.join(unknown)}.")
    _accounts().require_usable(name, environment)
    if missing := sorted(n for n, setting in known.items() if setting.is_required and not values.get(n)):
        raise InvalidRequest(f"{adapter.title} needs {', '.join(missing)}.")
    complete = {n: values.get(n, setting.default) for n, setting in known.items()}
    try:
        _accounts().trial(name, environment, complete)
    except ValueError as error:
        raise InvalidRequest(f"{adapter.title} cannot be set up like that: {error}") from error
    account_id, token, now = ids.uuid7(), secrets.token_urlsafe(24), clock.now()
    sealed = sealer().seal(json.dumps(complete).encode(), purpose=_PURPOSE, row_id=account_id)

    def work(session: Session) -> None:
        if session.get(Tenant, tenant_id) is None:
            raise NotFound("There is no such tenant.")
        session.execute(
            update(ProviderAccount)
            .where(ProviderAccount.tenant_id == tenant_id, ProviderAccount.provider == name)
            .values(is_active=False)
        )
        session.add(
            ProviderAccount(
                id=account_id,
                tenant_id=tenant_id,
                provider=name,
                environment=environment,
                sealed=sealed,
                callback_token=token,
                is_active=True,
                created_at=now,
            )
        )
        outbox.record(
            session,
            EventType.PROVIDER_ACCOUNT_SET,
            object_id=str(account_id),
            now=now,
            actor=operator,
            data={"provider": name, "environment": environment},
            tenant_id=tenant_id,
            is_public=False,
        )

    transaction(work)
    return token


def _active(tenant_id: uuid.UUID) -> dict[str, ProviderAccount]:
    wanted = select(ProviderAccount).where(ProviderAccount.tenant_id == tenant_id, ProviderAccount.is_active)
    with reading() as session:
        return {account.provider: account for account in session.scalars(wanted)}


def _accounts() -> Accounts:
    bound: Accounts = current_app.extensions["provider_accounts"]
    return bound


_TROUBLE: Final = frozenset({"unavailable", "unknown", "auth_failed", "rate_limited", "wrong_environment"})


def _observe(record: CallRecord) -> None:
    metrics: Any = current_app.extensions.get("metrics")
    if metrics is not None:
        metrics.count_provider_call(record.provider, record.operation, record.outcome, record.duration_s)
    health.record(record.provider, ok=record.outcome not in _TROUBLE)

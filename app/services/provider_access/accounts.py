"""Which account at a provider a payment goes through: the tenant's own, or the platform's from the environment.

Guarantees: credentials at rest are sealed to their row; an attempt is always asked about on the account it was made on,
whatever was configured since.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock, ids
from app.crypto import sealer
from app.errors import InvalidRequest, NotFound, ProviderNotConfigured
from app.events import outbox
from app.events.catalogue import EventType
from app.models.payment import PaymentAttempt
from app.models.tenant import ProviderAccount, Tenant
from app.models.withdrawal import Payout
from app.principal import Principal
from app.providers import NAMES, PROVIDERS
from app.providers.base import Provider
from app.services import reference_data
from app.services.provider_access import callback_tokens
from app.services.provider_access.adapters import PURPOSE, adapters
from app.services.reference_data import ReferenceData
from app.unit_of_work import reading, transaction

MAX_READERS: Final = 20
"""Tenants' accounts that are tried to read an unsigned callback with; any whose credentials can be decrypted will do."""

log = structlog.get_logger("providers")


@dataclass(frozen=True, slots=True)
class BoundProvider:
    """An adapter on an account. account_id: the tenant's own, None for the platform's."""

    provider: Provider
    account_id: uuid.UUID | None

    @property
    def environment(self) -> str:
        return self.provider.account.environment


def for_tenant(tenant_id: uuid.UUID, name: str) -> BoundProvider:
    """What a new payment of this tenant goes through, as far as is remembered. Raises ProviderNotConfigured."""
    adapter = NAMES.get(name)
    account = reference_data.current().accounts_in_use(tenant_id).get(adapter.name) if adapter else None
    if account is not None:
        adapters().require_usable(account.provider, account.environment)
        return BoundProvider(adapters().own(account), account.id)
    provider = adapters().platform(adapter.name) if adapter else None
    if provider is None:
        raise ProviderNotConfigured(f"Provider {name} is not configured.", field="provider")
    return BoundProvider(provider, None)


def available(tenant_id: uuid.UUID, reference: ReferenceData | None = None) -> Mapping[str, BoundProvider]:
    """Every provider the tenant can use, in the registry's order. One that cannot be set up is left out. reference: None for
    the database's as it is now."""
    own = (reference or reference_data.latest()).accounts_in_use(tenant_id)
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
    """On the tenant's own account where it has one, never on the platform's in its place. Raises ProviderNotConfigured."""
    if own is None:
        provider = adapters().platform(name)
        return None if provider is None else BoundProvider(provider, None)
    if not adapters().may_use(name, own.environment):
        return None
    return BoundProvider(adapters().own(own), own.id)


def of_attempt(attempt: PaymentAttempt | Payout) -> Provider:
    """The adapter an attempt or a payout was begun on, and nothing else. Raises ProviderNotConfigured."""
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
        account = reference_data.current().provider_account(account_id)
        if account is None:
            raise ProviderNotConfigured(f"The account of provider {name} is gone.")
        return adapters().own(account)
    provider = adapters().platform(name) if name in PROVIDERS else None
    if provider is None:
        raise ProviderNotConfigured(f"Provider {name} is not configured.")
    return provider


def any_account(name: str) -> Provider:
    """The platform's account, or where there is none any tenant's: to read a callback that came to the provider's common
    address. A signature is then one of the platform's or none. Raises ProviderNotConfigured."""
    provider = adapters().platform(name)
    if provider is not None:
        return provider
    wanted = select(ProviderAccount).where(ProviderAccount.provider == name, ProviderAccount.is_active)
    with reading() as session:
        accounts = session.scalars(wanted.order_by(ProviderAccount.id).limit(MAX_READERS)).all()
    for account in () if PROVIDERS[name].capabilities.signs_callbacks else accounts:
        try:
            return adapters().own(account)
        except ProviderNotConfigured:
            log.warning("provider_account.left_out", provider=name, account=str(account.id))
    raise ProviderNotConfigured(f"Provider {name} is not configured.")


def set_account(
    tenant_id: uuid.UUID, name: str, values: Mapping[str, str], *, environment: str, operator: Principal
) -> str:
    """Store a tenant's own credentials and use them for new payments; the end of its webhook URL.

    The account used so far stays for what was begun on it. Raises NotFound, InvalidRequest (missing or unknown names).
    """
    _require_valid(name, values, environment=environment)
    account_id, token, now = ids.uuid7(), callback_tokens.new_token(), clock.now()
    sealed = sealer().seal(json.dumps(dict(values)).encode(), purpose=PURPOSE, row_id=account_id)

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
                callback_token=callback_tokens.digest(token),
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


def _require_valid(name: str, values: Mapping[str, str], *, environment: str) -> None:
    """Raises InvalidRequest, ProviderNotConfigured: no account can be set up with these."""
    adapter = PROVIDERS.get(name)
    if adapter is None:
        raise InvalidRequest(f"There is no provider {name}.", field="provider")
    known = {setting.name: setting for setting in adapter.settings}
    if unknown := sorted(set(values) - set(known)):
        raise InvalidRequest(f"{adapter.title} has no setting {', '.join(unknown)}.")
    adapters().require_usable(name, environment)
    if missing := sorted(n for n, setting in known.items() if setting.is_required and not values.get(n)):
        raise InvalidRequest(f"{adapter.title} needs {', '.join(missing)}.")
    try:
        adapters().trial(name, environment, values)
    except ValueError as error:
        raise InvalidRequest(f"{adapter.title} cannot be set up like that: {error}") from error

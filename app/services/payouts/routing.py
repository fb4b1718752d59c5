"""Through which provider a payout goes: always on the platform's own account there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import structlog

from app.errors import InvalidRequest, ProviderNotConfigured
from app.providers import PROVIDERS
from app.providers.base import PayoutMethod, Provider
from app.services.provider_access.adapters import adapters

log = structlog.get_logger("payouts")

METHODS: Final = (PayoutMethod.MPESA, PayoutMethod.TILL, PayoutMethod.BANK)
"""In the order in which they are offered."""


def providers(currency: str) -> Mapping[PayoutMethod, Provider]:
    """Every method that can pay out this currency now, with its provider: the first of the registry that can."""
    configured = list(_configured())
    found: dict[PayoutMethod, Provider] = {}
    for method in METHODS:
        able = (one for one in configured if currency in one.capabilities.payouts.get(method, frozenset()))
        if (provider := next(able, None)) is not None:
            found[method] = provider
    return found


def provider_for(method: PayoutMethod, currency: str) -> Provider:
    """Raises InvalidRequest: no configured provider pays out like that."""
    provider = providers(currency).get(method)
    if provider is None:
        raise InvalidRequest(f"{currency} cannot be withdrawn by {method.value} at the moment.")
    return provider


def _configured() -> Iterator[Provider]:
    for name in PROVIDERS:
        try:
            provider = adapters().platform(name)
        except ProviderNotConfigured as error:
            log.warning("provider_account.left_out", provider=name, why=error.message)
            continue
        if provider is not None:
            yield provider

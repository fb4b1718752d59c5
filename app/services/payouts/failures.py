"""Why a payout failed, as a tenant reads it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.providers import PROVIDERS
from app.providers.base import FailureCode, ProviderResult
from app.providers.errors import ProviderError

_REASONS: Final[Mapping[FailureCode, str]] = MappingProxyType(
    {
        FailureCode.INSUFFICIENT_FUNDS: "The platform's balance at the provider does not cover the payout.",
        FailureCode.LIMIT_EXCEEDED: "The payout exceeds a limit of the destination or of the provider.",
        FailureCode.INVALID_AMOUNT: "This amount cannot be paid out in this way.",
        FailureCode.INVALID_ACCOUNT: "The destination cannot take the payout.",
        FailureCode.INVALID_REQUEST: "The provider did not accept the details of the payout.",
        FailureCode.DUPLICATE_PAYMENT: "The same payout was made a moment ago.",
        FailureCode.PROVIDER_UNAVAILABLE: "The provider is not available at the moment.",
        FailureCode.NOT_CONFIGURED: "Payouts of this kind are not possible at the moment.",
        FailureCode.NOT_SENT: "The payout did not reach the provider.",
        FailureCode.RETURNED: "The payout did not reach the destination.",
        FailureCode.REVERSED: "The provider reversed the payout.",
    }
)

_OTHERWISE: Final = "The provider refused the payout."


def failure_code(provider: str, outcome: ProviderResult | ProviderError) -> FailureCode:
    """Of a failed outcome. provider: the adapter's name."""
    return PROVIDERS[provider].failures.code_of(outcome, is_refund=True)


def reason(code: FailureCode) -> str:
    """A sentence of the gateway's own: the provider's may be about something else."""
    return _REASONS.get(code, _OTHERWISE)

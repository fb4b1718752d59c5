"""Why an operation failed, as merchants and customers read it; what the provider said is kept beside it.

The sentence is always the gateway's own: a provider's may be about something else (a wrong PIN is "The initiator information is
invalid"), or be the text of a success.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.providers import PROVIDERS
from app.providers.base import FailureCode, ProviderResult
from app.providers.errors import NotSent, ProviderError
from app.providers.failures import MEANINGS

MAX_TEXT: Final = 500
"""Characters of a provider's sentence that are kept."""


@dataclass(frozen=True, slots=True)
class Failure:
    """provider: the provider's own {code, message}; None where it said nothing, or the gateway itself knows the reason."""

    code: FailureCode
    provider: dict[str, Any] | None = None

    @property
    def payment_reason(self) -> str:
        return MEANINGS[self.code].payment

    @property
    def refund_reason(self) -> str:
        return MEANINGS[self.code].refund


def failure_of(provider: str, outcome: ProviderResult | ProviderError, *, is_refund: bool = False) -> Failure:
    """Of a failed or cancelled outcome. provider: the adapter's name."""
    code = PROVIDERS[provider].failures.code_of(outcome, is_refund=is_refund)
    is_ours = isinstance(outcome, NotSent) or (
        isinstance(outcome, ProviderResult) and outcome.failure is not None
    )
    if is_ours or not (outcome.code or outcome.message):
        return Failure(code)
    return Failure(code, {"code": outcome.code, "message": (outcome.message or "")[:MAX_TEXT] or None})

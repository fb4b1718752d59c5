"""Why a payment or a refund failed, in the gateway's own words: the same codes whichever provider is used, and sentences a
customer may read (docs/api/gateway.md#failure-codes). Each adapter has one table from its provider's codes to these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from app.providers.errors import AuthFailed, Declined, NotSent, ProviderError, RateLimited, RequestRejected
from app.providers.values import FailureCode, ProviderResult, State


@dataclass(frozen=True, slots=True)
class Meaning:
    """payment, refund: the sentence in each case. may_retry: whether the customer may try again, in a new payment, and
    succeed in the same way: by another means of payment it is always possible."""

    payment: str
    may_retry: bool
    refund: str = "The provider declined the refund."


MEANINGS: Final[Mapping[FailureCode, Meaning]] = MappingProxyType({
    FailureCode.INSUFFICIENT_FUNDS: Meaning(
        "The customer's funds do not cover this amount.", True, "The merchant's funds do not cover the refund."
    ),
    FailureCode.LIMIT_EXCEEDED: Meaning("The amount exceeds a limit of the customer's account.", True),
    FailureCode.INVALID_AMOUNT: Meaning(
        "This amount cannot be paid in this way.", False, "This amount cannot be refunded."
    ),
    FailureCode.WRONG_PIN: Meaning("The PIN was not correct.", True),
    FailureCode.AUTHENTICATION_FAILED: Meaning("The customer's identity was not confirmed.", True),
    FailureCode.CANCELLED_BY_CUSTOMER: Meaning("The customer cancelled the payment.", True),
    FailureCode.CANCELLED: Meaning("The payment was cancelled.", True, "The refund was cancelled."),
    FailureCode.TIMEOUT: Meaning("The customer did not pay in time.", True),
    FailureCode.CUSTOMER_UNREACHABLE: Meaning("The customer's phone was not reached.", True),
    FailureCode.CUSTOMER_BUSY: Meaning("Another request is still open on the customer's phone.", True),
    FailureCode.DUPLICATE_PAYMENT: Meaning(
        "The same payment was made a moment ago.", True, "The same refund was made a moment ago."
    ),
    FailureCode.INVALID_ACCOUNT: Meaning(
        "The customer's account or card cannot be used for this payment.", False,
        "The customer's account or card cannot take the refund.",
    ),
    FailureCode.EXPIRED_CARD: Meaning("The card has expired.", False, "The card has expired."),
    FailureCode.INCORRECT_CARD: Meaning("The card's details are not correct.", True),
    FailureCode.DECLINED: Meaning("The payment was declined.", True),
    FailureCode.INVALID_REQUEST: Meaning(
        "The provider did not accept the details of this payment.", False,
        "The provider did not accept the details of this refund.",
    ),
    FailureCode.PROVIDER_UNAVAILABLE: Meaning(
        "The payment provider is not available at the moment.", True,
        "The payment provider is not available at the moment.",
    ),
    FailureCode.NOT_CONFIGURED: Meaning(
        "The merchant cannot use this way to pay at the moment.", False,
        "The merchant cannot use this provider for refunds at the moment.",
    ),
    FailureCode.NOT_SENT: Meaning(
        "The payment could not be sent in time.", True, "The refund did not reach the provider."
    ),
    FailureCode.NOT_PAID: Meaning("The payment was not made.", True, "The refund was not made."),
    FailureCode.REVERSED: Meaning("The provider reversed the payment.", True),
    FailureCode.RETURNED: Meaning(
        "Another amount was collected; it is refunded.", True, "The refund did not reach the customer."
    ),
})  # fmt: skip

BANK_WORDS: Final[tuple[tuple[str, FailureCode], ...]] = (
    ("insufficient", FailureCode.INSUFFICIENT_FUNDS),
    ("incorrect pin", FailureCode.WRONG_PIN),
    ("wrong pin", FailureCode.WRONG_PIN),
    ("invalid pin", FailureCode.WRONG_PIN),
    ("expired card", FailureCode.EXPIRED_CARD),
    ("card has expired", FailureCode.EXPIRED_CARD),
    ("card expired", FailureCode.EXPIRED_CARD),
    ("limit", FailureCode.LIMIT_EXCEEDED),
    ("customer cancelled", FailureCode.CANCELLED_BY_CUSTOMER),
    ("cancelled by", FailureCode.CANCELLED_BY_CUSTOMER),
    ("canceled by", FailureCode.CANCELLED_BY_CUSTOMER),
    ("timeout", FailureCode.TIMEOUT),
    ("timed out", FailureCode.TIMEOUT),
    ("duplicate transaction", FailureCode.DUPLICATE_PAYMENT),
)
"""Part of a sentence in lower case → code, for providers that pass on what a bank wrote and have no codes. The first counts."""


@dataclass(frozen=True, slots=True)
class FailureTable:
    """One provider's failures. charges, refunds: its code → ours; a refund's code that only `charges` has has that meaning.
    words: part of its sentence → ours, where the code is in neither; see BANK_WORDS."""

    charges: Mapping[str, FailureCode] = field(default_factory=lambda: MappingProxyType({}))
    refunds: Mapping[str, FailureCode] = field(default_factory=lambda: MappingProxyType({}))
    words: tuple[tuple[str, FailureCode], ...] = ()

    def code_of(self, outcome: ProviderResult | ProviderError, *, is_refund: bool = False) -> FailureCode:
        """Ours for a failed or cancelled outcome; what no table knows is `declined`, or follows from the kind of error."""
        if isinstance(outcome, ProviderResult) and outcome.failure is not None:
            return outcome.failure
        tables = (self.refunds, self.charges) if is_refund else (self.charges,)
        known = next((found for table in tables if (found := table.get(outcome.code or ""))), None)
        return known or self._by_words(outcome) or _by_kind(outcome)

    def _by_words(self, outcome: ProviderResult | ProviderError) -> FailureCode | None:
        """Of what was answered about the operation; another error's sentence is about the call."""
        if not isinstance(outcome, ProviderResult | Declined):
            return None
        sentence = (outcome.message or "").lower()
        return next((code for part, code in self.words if part in sentence), None)


def _by_kind(outcome: ProviderResult | ProviderError) -> FailureCode:
    if isinstance(outcome, ProviderResult):
        return FailureCode.CANCELLED if outcome.state is State.CANCELLED else FailureCode.DECLINED
    by_error: tuple[tuple[type[ProviderError], FailureCode], ...] = (
        (NotSent, FailureCode.PROVIDER_UNAVAILABLE),
        (RateLimited, FailureCode.PROVIDER_UNAVAILABLE),
        (AuthFailed, FailureCode.NOT_CONFIGURED),
        (RequestRejected, FailureCode.INVALID_REQUEST),
    )
    return next((code for error, code in by_error if isinstance(outcome, error)), FailureCode.DECLINED)

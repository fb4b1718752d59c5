"""Paystack's words, as data: what a status, an event and a refusal mean."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.providers.base import Kind, PayoutMethod, State
from app.providers.environments import LIVE, SANDBOX
from app.providers.errors import (
    Declined,
    DuplicateReference,
    ProviderError,
    RateLimited,
)

FAILED_TRY: Final = "failed"
"""The status of a charge whose last try has failed; the page takes another card under the same reference."""

CHARGES: Final[Mapping[str, State]] = MappingProxyType({
    "success": State.SUCCEEDED,
    FAILED_TRY: State.PENDING,
    "reversed": State.REVERSED,
    # The customer left the page, and can still return and pay.
    "abandoned": State.PENDING,
    "ongoing": State.PENDING,
    "pending": State.PENDING,
    # The customer has agreed to a bank debit, which is being carried out, or is to be.
    "processing": State.IN_TRANSIT,
    "queued": State.IN_TRANSIT,
})  # fmt: skip

REFUNDS: Final[Mapping[str, State]] = MappingProxyType({
    "pending": State.PENDING,
    "processing": State.PENDING,
    "processed": State.SUCCEEDED,
    "failed": State.FAILED,
    # Paystack waits for the customer's bank account, given in its dashboard.
    "needs-attention": State.PENDING,
})  # fmt: skip

TRANSFERS: Final[Mapping[str, State]] = MappingProxyType({
    # Paystack's specification lists `abandoned`, `blocked` and `rejected`, too, without saying whether money can still move:
    # they stay unknown until an operator decides. `queued` and `processing` are in no list of it.
    "success": State.SUCCEEDED,
    "pending": State.PENDING,
    "received": State.PENDING,
    "queued": State.PENDING,
    "processing": State.PENDING,
    "otp": State.PENDING,
    "failed": State.FAILED,
    "reversed": State.REVERSED,
})  # fmt: skip

SENTENCES: Final[Mapping[str, str]] = MappingProxyType({
    "otp": "Paystack waits for a one-time password: switch transfer confirmation off in its dashboard.",
    "needs-attention": "Paystack waits for the customer's bank account: give it in its dashboard.",
})  # fmt: skip
"""What an operator must do about a status that needs an action."""

EVENTS: Final[Mapping[str, tuple[Kind, State]]] = MappingProxyType({
    "charge.success": (Kind.PAYMENT, State.SUCCEEDED),
    "charge.failed": (Kind.PAYMENT, State.PENDING),
    "transfer.success": (Kind.PAYOUT, State.SUCCEEDED),
    "transfer.failed": (Kind.PAYOUT, State.FAILED),
    "transfer.reversed": (Kind.PAYOUT, State.REVERSED),
    "refund.pending": (Kind.REFUND, State.PENDING),
    "refund.processing": (Kind.REFUND, State.PENDING),
    "refund.processed": (Kind.REFUND, State.SUCCEEDED),
    "refund.failed": (Kind.REFUND, State.FAILED),
    "refund.needs-attention": (Kind.REFUND, State.PENDING),
})  # fmt: skip

RECIPIENTS: Final[Mapping[tuple[PayoutMethod, str], tuple[str, str | None]]] = MappingProxyType({
    # (method, currency) → recipient type and bank code; None: the destination names its bank.
    (PayoutMethod.MPESA, "KES"): ("mobile_money", "MPESA"),
    (PayoutMethod.TILL, "KES"): ("mobile_money_business", "MPTILL"),
    (PayoutMethod.BANK, "NGN"): ("nuban", None),
    (PayoutMethod.BANK, "KES"): ("kepss", None),
    (PayoutMethod.BANK, "GHS"): ("ghipss", None),
    (PayoutMethod.BANK, "ZAR"): ("basa", None),
})  # fmt: skip

REFUSALS: Final[tuple[tuple[str, type[ProviderError], str], ...]] = (
    # Part of the code or message in lower case → the error and its code. The first match counts.
    ("duplicate_reference", DuplicateReference, "duplicate_reference"),
    ("duplicate transaction reference", DuplicateReference, "duplicate_reference"),
    ("reference already exists", DuplicateReference, "duplicate_reference"),
    ("duplicate charge request", DuplicateReference, "duplicate_reference"),
    ("insufficient_balance", Declined, "insufficient_balance"),
    ("balance is not enough", Declined, "insufficient_balance"),
    ("insufficient balance", Declined, "insufficient_balance"),
    ("fully reversed", Declined, "fully_refunded"),
    ("has been deactivated", Declined, "merchant_disabled"),
    ("wait a few minutes", RateLimited, "rate_limited"),
)

NOT_THERE: Final = ("transaction_not_found", "transfer_not_found", "reference not found", "transaction not found",
                    "transfer not found", "entity not found")  # fmt: skip
"""400 or 404 with one of these as code or in the message: Paystack knows no such reference."""


ENVIRONMENTS: Final[Mapping[str, str]] = MappingProxyType({"live": LIVE, "test": SANDBOX})
"""`domain` of what Paystack answers and sends → the environment it is of."""

"""Chapa's words, as data: what a status, an event and a refusal mean."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.providers.base import Kind, State
from app.providers.environments import LIVE, SANDBOX
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    NotSent,
    ProviderError,
    RequestRejected,
)

FAILED_TRIES: Final = ("failed", "failed/cancelled")
"""Statuses of a payment whose last try has failed, or was cancelled; the page takes up to ten, until it closes."""

CHARGES: Final[Mapping[str, State]] = MappingProxyType({
    # `data.status` of GET /transaction/verify. The first three are documented there; the others stand in Chapa's
    # webhooks, and clients have met them in both.
    "success": State.SUCCEEDED,
    **dict.fromkeys(FAILED_TRIES, State.PENDING),
    "pending": State.PENDING,
    "cancelled": State.CANCELLED,
    "reversed": State.REVERSED,
    # Refunded by the merchant, perhaps in part: the amount is in the gateway's own refunds.
    "refunded": State.REFUNDED,
})  # fmt: skip

REFUNDS: Final[Mapping[str, State]] = MappingProxyType({
    # Two generations of the documents: `Refund Initiated`, and `initiated`, `processing`, `refunded`, `reversed`. What is
    # reversed, the payment or the refund, they do not say: an operator decides about that status.
    "refund initiated": State.PENDING,
    "initiated": State.PENDING,
    "pending": State.PENDING,
    "processing": State.PENDING,
    "refunded": State.SUCCEEDED,
    "success": State.SUCCEEDED,
    "failed": State.FAILED,
})  # fmt: skip

PAYOUTS: Final[Mapping[str, State]] = MappingProxyType({
    "success": State.SUCCEEDED,
    "pending": State.PENDING,
    "queued": State.PENDING,
    "processing": State.PENDING,
    "failed": State.FAILED,
    "cancelled": State.FAILED,
    "failed/cancelled": State.FAILED,
    "reverted": State.REVERSED,
    "reversed": State.REVERSED,
})  # fmt: skip

EVENTS: Final[Mapping[str, tuple[Kind, State]]] = MappingProxyType({
    # The slash is literal.
    "charge.success": (Kind.PAYMENT, State.SUCCEEDED),
    "charge.failed/cancelled": (Kind.PAYMENT, State.PENDING),
    "charge.reversed": (Kind.PAYMENT, State.REVERSED),
    "charge.refunded": (Kind.REFUND, State.SUCCEEDED),
    "payout.success": (Kind.PAYOUT, State.SUCCEEDED),
    "payout.failed/cancelled": (Kind.PAYOUT, State.FAILED),
})  # fmt: skip

REFUSALS: Final[tuple[tuple[str, type[ProviderError], str], ...]] = (
    # Part of the message in lower case → the error and its code. The first match counts, before the HTTP status:
    # a wrong bank code, for one, comes with 401.
    ("used before", DuplicateReference, "duplicate_reference"),
    ("already been taken", DuplicateReference, "duplicate_reference"),
    # Comes with 401 and 404; tried again later it may go through.
    ("transfer hours", NotSent, "transfer_hours"),
    ("transfer api isn't available", NotSent, "transfers_closed"),
    ("bank code", RequestRejected, "bank_code"),
    ("bank is no longer supported", RequestRejected, "bank"),
    ("account number", RequestRejected, "account_number"),
    ("insufficient balance", Declined, "insufficient_balance"),
    ("invalid currency", RequestRejected, "currency"),
    ("can't receive payments", Declined, "merchant_disabled"),
    ("payments through api is disabled", Declined, "api_disabled"),
    ("in live mode", RequestRejected, "live_mode_only"),
    # A live key asks about a test transaction, or the other way round.
    ("secret keys can't be used", AuthFailed, "other_mode"),
    ("invalid api key", AuthFailed, "invalid_key"),
    ("authorization required", AuthFailed, "authorization_required"),
)

NOT_PAID: Final = "not paid yet"
"""404 with this in the message: the payment exists and is waited for."""

NOT_THERE: Final = ("not found", "invalid transaction")
"""404 with one of these: Chapa knows no such reference."""


LINK_EXPIRED: Final = "already expired"
"""With this in the message a payment cannot be cancelled, because it can no longer be paid."""


ENVIRONMENTS: Final[Mapping[str, str]] = MappingProxyType({"live": LIVE, "test": SANDBOX})
"""`mode` of what Chapa answers and sends → the environment it is of."""

"""What Paystack's words mean in the gateway's own. Why a payment failed is in a sentence of the customer's bank only."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.providers.base import FailureCode, FailureTable
from app.providers.failures import BANK_WORDS

FAILURES: Final = FailureTable(
    charges=MappingProxyType({
        "merchant_disabled": FailureCode.NOT_CONFIGURED,
        "insufficient_balance": FailureCode.INSUFFICIENT_FUNDS,
    }),
    refunds=MappingProxyType({
        "fully_refunded": FailureCode.INVALID_AMOUNT,
    }),
    words=BANK_WORDS,
)  # fmt: skip

"""What Pesapal's words mean in the gateway's own. Why a payment failed is in a sentence of the customer's bank only."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.providers.base import FailureCode, FailureTable
from app.providers.failures import BANK_WORDS

FAILURES: Final = FailureTable(
    charges=MappingProxyType({
        "ipn_not_registered": FailureCode.NOT_CONFIGURED,
    }),
    refunds=MappingProxyType({
        "not_paid": FailureCode.INVALID_REQUEST,
    }),
    words=BANK_WORDS,
)  # fmt: skip

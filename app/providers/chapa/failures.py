"""What Chapa's words mean in the gateway's own. Chapa gives no reason why a payment failed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.providers.base import FailureCode, FailureTable
from app.providers.failures import BANK_WORDS

FAILURES: Final = FailureTable(
    charges=MappingProxyType({
        "cancelled": FailureCode.CANCELLED,
        "live_mode_only": FailureCode.NOT_CONFIGURED,
        "merchant_disabled": FailureCode.NOT_CONFIGURED,
        "api_disabled": FailureCode.NOT_CONFIGURED,
        "insufficient_balance": FailureCode.INSUFFICIENT_FUNDS,
    }),
    words=BANK_WORDS,
)  # fmt: skip

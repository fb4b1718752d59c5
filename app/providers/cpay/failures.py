"""What CPay's codes mean in the gateway's own."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.providers.base import FailureCode, FailureTable

FAILURES: Final = FailureTable(
    charges=MappingProxyType({
        "card_declined": FailureCode.DECLINED,
        "insufficient_funds": FailureCode.INSUFFICIENT_FUNDS,
        "amount_exceeds_limit": FailureCode.LIMIT_EXCEEDED,
        "cancelled": FailureCode.CANCELLED_BY_CUSTOMER,
    }),
    refunds=MappingProxyType({
        "refund_declined": FailureCode.DECLINED,
        "refund_exceeds_payment": FailureCode.INVALID_AMOUNT,
    }),
)  # fmt: skip

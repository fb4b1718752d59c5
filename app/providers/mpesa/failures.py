"""What Daraja's codes mean in the gateway's own (statuses.py has Daraja's meanings).

A wrong PIN and wrong credentials of the API operator have one code: a push has no operator, a reversal no PIN.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.providers.base import FailureCode, FailureTable

FAILURES: Final = FailureTable(
    charges=MappingProxyType({
        "1": FailureCode.INSUFFICIENT_FUNDS,
        "2": FailureCode.INVALID_AMOUNT,
        "3": FailureCode.LIMIT_EXCEEDED,
        "4": FailureCode.LIMIT_EXCEEDED,
        "8": FailureCode.LIMIT_EXCEEDED,
        "11": FailureCode.INVALID_ACCOUNT,
        "17": FailureCode.DUPLICATE_PAYMENT,
        "18": FailureCode.NOT_CONFIGURED,
        "20": FailureCode.NOT_CONFIGURED,
        "21": FailureCode.NOT_CONFIGURED,
        "24": FailureCode.INVALID_REQUEST,
        "25": FailureCode.INVALID_REQUEST,
        "26": FailureCode.PROVIDER_UNAVAILABLE,
        "29": FailureCode.INVALID_REQUEST,
        "1001": FailureCode.CUSTOMER_BUSY,
        "1019": FailureCode.TIMEOUT,
        "1025": FailureCode.CUSTOMER_UNREACHABLE,
        "1032": FailureCode.CANCELLED_BY_CUSTOMER,
        "1036": FailureCode.CUSTOMER_UNREACHABLE,
        "1037": FailureCode.TIMEOUT,
        "2001": FailureCode.WRONG_PIN,
        "2006": FailureCode.INVALID_ACCOUNT,
        "2028": FailureCode.NOT_CONFIGURED,
        "2040": FailureCode.INVALID_ACCOUNT,
        "4001": FailureCode.CANCELLED_BY_CUSTOMER,
        "8006": FailureCode.NOT_CONFIGURED,
        "9999": FailureCode.CUSTOMER_UNREACHABLE,
        "E3008": FailureCode.INVALID_ACCOUNT,
        "SFC_IC0003": FailureCode.INVALID_ACCOUNT,
        "amount": FailureCode.INVALID_AMOUNT,
        "certificate": FailureCode.NOT_CONFIGURED,
        "not_configured": FailureCode.NOT_CONFIGURED,
    }),
    refunds=MappingProxyType({
        "1037": FailureCode.DECLINED,
        "2001": FailureCode.NOT_CONFIGURED,
        "R000002": FailureCode.INVALID_REQUEST,
        "partial_refund": FailureCode.INVALID_AMOUNT,
    }),
    words=(("unable to lock subscriber", FailureCode.CUSTOMER_BUSY),),
)  # fmt: skip

"""Amounts that make CPay fail, as tables. Everything follows from the amount, so that an inquiry, which has nothing but
a reference and an amount, gives the same outcome as the charge did.

Sources: the outcomes are the Processing API's (docs/providers/cpay.md); the whole amounts from 7001 on are the simulators'
(docs/sandbox.md), from 7120 on CPay's own.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.money import Money, exponent_of


class Fate(StrEnum):
    """What becomes of a charge or a refund."""

    SUCCEEDS = "succeeds"
    DECLINED = "declined"
    PENDING = "pending"
    DONE_BUT_UNKNOWN = "done_but_unknown"
    NOT_DONE_AND_UNKNOWN = "not_done_and_unknown"
    UNKNOWN_FOR_GOOD = "unknown_for_good"
    WRONG_AMOUNT = "wrong_amount"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    AUTH_FAILED = "auth_failed"
    INVALID = "invalid"


CHARGES: Final = {
    7001: (Fate.DONE_BUT_UNKNOWN, "dropped"),
    7002: (Fate.DONE_BUT_UNKNOWN, "server_error"),
    7003: (Fate.NOT_DONE_AND_UNKNOWN, "server_error"),
    7009: (Fate.WRONG_AMOUNT, "wrong_amount"),
    7010: (Fate.RATE_LIMITED, "rate_limited"),
    7101: (Fate.DECLINED, "insufficient_funds"),
    7102: (Fate.DECLINED, "cancelled"),
    7103: (Fate.PENDING, "pending"),
    7104: (Fate.DECLINED, "card_declined"),
    7120: (Fate.UNAVAILABLE, "unavailable"),
    7121: (Fate.AUTH_FAILED, "auth_failed"),
    7122: (Fate.UNKNOWN_FOR_GOOD, "unknown"),
    7123: (Fate.INVALID, "invalid_request"),
}
"""Whole major units of any currency → what becomes of the charge, and its code."""

REFUNDS: Final = {
    7221: (Fate.DONE_BUT_UNKNOWN, "dropped"),
    7223: (Fate.NOT_DONE_AND_UNKNOWN, "server_error"),
    7224: (Fate.DECLINED, "refund_declined"),
}
"""The same for refunds. Other amounts than charges', so that those can be refunded."""

ENDINGS: Final = (("13.00", "card_declined"), ("66.60", "insufficient_funds"))
"""Last digits of the amount with two decimals → code."""

LIMIT: Final = Decimal(9000)
"""Above this, amounts that end in 00.00 exceed CPay's limit."""

MESSAGES: Final = {
    "card_declined": "The card was declined.",
    "insufficient_funds": "The customer's funds do not cover this.",
    "amount_exceeds_limit": "The amount exceeds CPay's limit.",
    "cancelled": "The customer cancelled.",
    "refund_declined": "CPay does not refund this.",
}


def fate_of_charge(amount: Money) -> tuple[Fate, str]:
    """What becomes of a charge of `amount`, and its code (empty when it simply succeeds)."""
    major = _major(amount)
    if major in CHARGES:
        return CHARGES[int(major)]
    text = f"{major:.2f}"
    if Decimal(text) == major:
        for ending, code in ENDINGS:
            if text.endswith(ending):
                return Fate.DECLINED, code
        if major > LIMIT and text.endswith("00.00"):
            return Fate.DECLINED, "amount_exceeds_limit"
    return Fate.SUCCEEDS, ""


def fate_of_refund(amount: Money) -> tuple[Fate, str]:
    """The same for a refund."""
    major = _major(amount)
    return REFUNDS[int(major)] if major in REFUNDS else (Fate.SUCCEEDS, "")


def _major(amount: Money) -> Decimal:
    return Decimal(amount.amount_minor).scaleb(-exponent_of(amount.currency))

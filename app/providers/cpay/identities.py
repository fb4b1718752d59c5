"""CPay's ids. They are all the memory it has: the beginning of one says how the thing stands."""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import Final

from app.money import Money

DIGITS: Final = 12


class Mark(StrEnum):
    """How an id begins."""

    PAID = "CPAY-"
    WAITING = "WAIT-"
    FAILED = "FAIL-"
    CANCELLED = "VOID-"
    REFUNDED = "REF-"


def identity(mark: Mark, reference: str, *, secret: str, amount: Money | None = None) -> str:
    """The mark and 12 upper-case hex digits, always the same for the same arguments.

    A paid one is of an amount: a callback about another amount leads to another id, and is not believed.
    """
    what = f"{mark}/{reference}" if amount is None else f"{mark}/{reference}/{amount}/{amount.currency}"
    return mark + hmac.new(secret.encode(), what.encode(), hashlib.sha256).hexdigest()[:DIGITS].upper()

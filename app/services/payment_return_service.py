"""What a customer who comes back from a payment page is told: how the payment stands, and nothing about anybody.

Whoever has the payment's id may ask, so the answer is one word.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.errors import TransactionNotFound
from app.models.payment import Payment
from app.unit_of_work import reading


class Standing(StrEnum):
    """A payment as its payer sees it."""

    COMPLETED = "completed"
    OPEN = "open"
    FAILED = "failed"
    GIVEN_BACK = "given_back"


STANDINGS: Final = MappingProxyType(
    {
        "pending": Standing.OPEN,
        "processing": Standing.OPEN,
        "completed": Standing.COMPLETED,
        "partially_refunded": Standing.COMPLETED,
        "refunded": Standing.GIVEN_BACK,
        "reversed": Standing.GIVEN_BACK,
        "failed": Standing.FAILED,
        "cancelled": Standing.FAILED,
    }
)
"""Payment status → what the payer is told."""


def standing(payment_id: uuid.UUID) -> Standing:
    """How the payment stands, as it is known here; no provider is asked. Raises TransactionNotFound.

    Money that waits for a person (`review`) is neither taken nor lost: the payment counts as open.
    """
    with reading() as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise TransactionNotFound
        found = STANDINGS[payment.status]
        return Standing.OPEN if found is Standing.FAILED and payment.review else found

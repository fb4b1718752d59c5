"""What the page shows to a customer who returns from a payment page: the payment's status, and nothing about anybody.

Whoever has the payment's id may read it, so the answer is one word.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.errors import TransactionNotFound
from app.models.payment import Payment
from app.unit_of_work import reading


class PayerStatus(StrEnum):
    """A payment as its payer sees it."""

    COMPLETED = "completed"
    OPEN = "open"
    FAILED = "failed"
    REFUNDED = "given_back"


PAYER_STATUSES: Final = MappingProxyType(
    {
        "pending": PayerStatus.OPEN,
        "processing": PayerStatus.OPEN,
        "completed": PayerStatus.COMPLETED,
        "partially_refunded": PayerStatus.COMPLETED,
        "refunded": PayerStatus.REFUNDED,
        "reversed": PayerStatus.REFUNDED,
        "failed": PayerStatus.FAILED,
        "cancelled": PayerStatus.FAILED,
    }
)
"""Payment status → what the payer sees."""


def payer_status(payment_id: uuid.UUID) -> PayerStatus:
    """The payment's status as it is known here; no provider is queried. Raises TransactionNotFound.

    A failed payment under review may have collected money, so it counts as open.
    """
    with reading() as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise TransactionNotFound
        found = PAYER_STATUSES[payment.status]
        return PayerStatus.OPEN if found is PayerStatus.FAILED and payment.review else found

"""What the page shows to a customer who returns from a payment page: the payment's status, and no personal data.

Whoever has the payment's id may read it, so the answer is one word.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.errors import TransactionNotFound
from app.models.payment import Payment, PaymentStatus
from app.unit_of_work import reading


class PayerStatus(StrEnum):
    """A payment as its payer sees it."""

    COMPLETED = "completed"
    OPEN = "open"
    FAILED = "failed"
    REFUNDED = "refunded"


PAYER_STATUSES: Final = MappingProxyType(
    {
        PaymentStatus.PENDING: PayerStatus.OPEN,
        PaymentStatus.PROCESSING: PayerStatus.OPEN,
        PaymentStatus.COMPLETED: PayerStatus.COMPLETED,
        PaymentStatus.PARTIALLY_REFUNDED: PayerStatus.COMPLETED,
        PaymentStatus.REFUNDED: PayerStatus.REFUNDED,
        PaymentStatus.REVERSED: PayerStatus.REFUNDED,
        PaymentStatus.FAILED: PayerStatus.FAILED,
        PaymentStatus.CANCELLED: PayerStatus.FAILED,
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
        return payer_status_of(payment)


def payer_status_of(payment: Payment) -> PayerStatus:
    """As payer_status."""
    found = PAYER_STATUSES[payment.status]
    return PayerStatus.OPEN if found is PayerStatus.FAILED and payment.review else found

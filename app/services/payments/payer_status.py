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
"""Payment status → what the payer is told."""


def payer_status(payment_id: uuid.UUID) -> PayerStatus:
    """How the payment stands, as it is known here; no provider is asked. Raises TransactionNotFound.

    Money that waits for a person (`review`) is neither taken nor lost: the payment counts as open.
    """
    with reading() as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise TransactionNotFound
        found = PAYER_STATUSES[payment.status]
        return PayerStatus.OPEN if found is PayerStatus.FAILED and payment.review else found

"""Payments through providers: the use cases of the Gateway API.

Guarantees: one Idempotency-Key asks a customer for money once; a payment is `failed` only when the provider clearly says so;
a tenant sees its own payments only.
"""

from __future__ import annotations

from app.services.payments.change import cancel, verify
from app.services.payments.create import (
    CustomerDetails,
    Initialized,
    PaymentRequest,
    initialize,
    known_answer,
)
from app.services.payments.filters import PaymentFilter
from app.services.payments.read import find_payment, get_payment, list_payments, providers
from app.services.realtime.tokens import changes_token, realtime_token

__all__ = [
    "CustomerDetails",
    "Initialized",
    "PaymentFilter",
    "PaymentRequest",
    "cancel",
    "changes_token",
    "find_payment",
    "get_payment",
    "initialize",
    "known_answer",
    "list_payments",
    "providers",
    "realtime_token",
    "verify",
]

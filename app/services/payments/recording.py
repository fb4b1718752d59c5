"""Events of payments: part of the write set, and in the log, so that a payment can be followed by its id."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import structlog

from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.models.job import JobKind
from app.principal import actor_text
from app.services.payments.rows import PaymentWrites

log = structlog.get_logger("payments")


def record_completed(writes: PaymentWrites) -> None:
    """The payment is completed, whoever reported it: what follows is part of the same write set."""
    payment = writes.rows.payment
    if payment.save_method is not None:
        writes.add_job(JobKind.PAYMENT_SAVE_METHOD, payment.id, run_at=writes.now)
    if payment.order_id is not None:
        # The order may be a booking's, whichever API it was paid by.
        writes.add_job(JobKind.BOOKING_CONFIRM, payment.id, run_at=writes.now)
    record_payment_event(writes, EventType.PAYMENT_COMPLETED)


def record_payment_event(
    writes: PaymentWrites, event_type: EventType, more: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """more: what this type of event has beside the payment."""
    payment = writes.rows.payment
    writes.record(event_type, payment_payload(payment) | dict(more))
    write = log.error if event_type == EventType.PAYMENT_REVIEW else log.info
    write(
        event_type,
        payment=str(payment.id),
        provider=payment.provider,
        status=payment.status,
        source=actor_text(writes.actor),
        **({"review": payment.review} if payment.review else {}),
    )

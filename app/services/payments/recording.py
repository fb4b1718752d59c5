"""Events of payments: written to the outbox and to the log, so that a payment can be followed by its id."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from app.events import outbox
from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.models.payment import Payment
from app.principal import EventActor, actor_text

log = structlog.get_logger("payments")


def record_payment_event(
    session: Session, event_type: EventType, payment: Payment, *, source: EventActor, now: datetime
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(payment.id),
        data=payment_payload(payment),
        now=now,
        actor=source,
        tenant_id=payment.tenant_id,
    )
    write = log.error if event_type == EventType.PAYMENT_REVIEW else log.info
    write(
        event_type,
        payment=str(payment.id),
        provider=payment.provider,
        status=payment.status,
        source=actor_text(source),
        **({"review": payment.review} if payment.review else {}),
    )

"""Payments, refunds and callbacks, carried on by the worker. Each may be run again at any moment."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from app.services.callbacks import process as provider_event_processing
from app.services.callbacks import receive as provider_event_service
from app.services.operator import reconciliation
from app.services.payments import follow_up as payment_follow_up
from app.services.refunds import follow_up as refund_follow_up


def follow_up_payment(payload: dict[str, Any]) -> datetime | None:
    """Payload: attempt_id."""
    return payment_follow_up.follow_up(uuid.UUID(payload["attempt_id"]))


def follow_up_refund(payload: dict[str, Any]) -> datetime | None:
    """Payload: refund_id."""
    return refund_follow_up.follow_up(uuid.UUID(payload["refund_id"]))


def process_provider_event(payload: dict[str, Any]) -> datetime | None:
    """Payload: event_id."""
    return provider_event_processing.process(uuid.UUID(payload["event_id"]))


def dead_letter_provider_event(payload: dict[str, Any], error: str) -> None:
    """After the last attempt: an operator finds it among the dead letters."""
    provider_event_processing.dead_letter(uuid.UUID(payload["event_id"]), error)


def report_payment(payload: dict[str, Any], error: str) -> None:
    """When driving a payment fails again and again."""
    payment_follow_up.report_failing(uuid.UUID(payload["attempt_id"]), error)


def report_refund(payload: dict[str, Any], error: str) -> None:
    """When driving a refund fails again and again."""
    refund_follow_up.report_failing(uuid.UUID(payload["refund_id"]), error)


def reconcile_daily(payload: dict[str, Any]) -> datetime | None:
    """Once a day, for ever."""
    return reconciliation.daily()


def sweep_provider_events(payload: dict[str, Any]) -> datetime | None:
    """Once a day while there is something to forget."""
    return provider_event_service.sweep()

"""Kinds of jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from app.services.callbacks import receive as provider_event_service
from app.services.operator import reconciliation
from app.services.payments import follow_up as payment_follow_up
from app.services.refunds import follow_up as refund_follow_up
from app.worker.kyc import verify_kyc_request
from app.worker.payments import (
    dead_letter_provider_event,
    follow_up_payment,
    follow_up_refund,
    process_provider_event,
    reconcile_daily,
    report_payment,
    report_refund,
    sweep_provider_events,
)


@dataclass(frozen=True, slots=True)
class JobKind:
    """`run(payload)` does the work and may return when it is to go on; an exception is a failed attempt.

    `retries`: the waits after each failed attempt, in seconds. Then it is a dead letter, or, where `never_gives_up`, tried on
    at the last wait; either way `on_exhausted` is told why.
    """

    run: Callable[[dict[str, Any]], datetime | None]
    retries: tuple[int, ...]
    never_gives_up: bool = False
    on_exhausted: Callable[[dict[str, Any], str], None] | None = None


KINDS: Final = {
    "kyc.verify": JobKind(verify_kyc_request, retries=(5, 60, 300, 900, 3600)),
    # Money hangs on these two: they are never given up.
    payment_follow_up.KIND: JobKind(
        follow_up_payment,
        retries=(5, 15, 60, 300, 900, 3600),
        never_gives_up=True,
        on_exhausted=report_payment,
    ),
    refund_follow_up.KIND: JobKind(
        follow_up_refund, retries=(5, 15, 60, 300, 900, 3600), never_gives_up=True, on_exhausted=report_refund
    ),
    reconciliation.DAILY: JobKind(reconcile_daily, retries=(3600,), never_gives_up=True),
    provider_event_service.SWEEP: JobKind(sweep_provider_events, retries=(3600,), never_gives_up=True),
    provider_event_service.KIND: JobKind(
        process_provider_event,
        retries=(2, 5, 15, 60, 300, 900, 3600, 21_600),
        on_exhausted=dead_letter_provider_event,
    ),
}


RECURRING: Final = MappingProxyType({reconciliation.DAILY: reconciliation.EVERY})
"""Kinds that run for ever → the wait before their first run."""

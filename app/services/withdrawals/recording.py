"""Events of withdrawals: part of the write set, and in the log."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import structlog

from app.events.catalogue import EventType
from app.events.payloads import withdrawal_payload
from app.principal import actor_text
from app.services.withdrawals.rows import WithdrawalWrites

log = structlog.get_logger("withdrawals")


def record(
    writes: WithdrawalWrites, event_type: EventType, more: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """more: what this type of event has beside the withdrawal."""
    rows = writes.rows
    writes.record(event_type, withdrawal_payload(rows.withdrawal, rows.payout) | dict(more))
    write = log.error if event_type == EventType.WITHDRAWAL_REVIEW else log.info
    write(
        event_type,
        withdrawal=str(rows.withdrawal.id),
        status=rows.withdrawal.status,
        source=actor_text(writes.actor),
        **dict(more),
    )

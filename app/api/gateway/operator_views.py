"""Presenters of the Gateway API for operators: callbacks, the event log, statistics, reconciliation."""

from __future__ import annotations

import base64
from typing import Any

from app.clock import iso_z
from app.models.event import Event
from app.models.provider_event import ProviderEvent
from app.services.callbacks.inbox import CallbackStatistics, EventPage
from app.services.operator.audit import LogPage
from app.services.operator.reconciliation import Report
from app.services.operator.statistics import CurrencyTotals, Statistics


def callback_page(page: EventPage) -> dict[str, Any]:
    """Callbacks without their bodies."""
    cursor = str(page.next_before) if page.next_before else None
    return {"items": [_callback_summary(event) for event in page.items], "next_cursor": cursor}


def callback(event: ProviderEvent) -> dict[str, Any]:
    """A callback with its request. The secret end of its URL is not shown: whoever knows it can send callbacks."""
    body, encoding = _readable(bytes(event.body))
    request = {"method": event.method, "query": event.query, "headers": event.headers}
    return _callback_summary(event) | request | {"body": body, "body_encoding": encoding}


def callback_statistics(found: CallbackStatistics) -> dict[str, Any]:
    return {
        "hours": found.hours,
        "total": found.total,
        "repeats": found.repeats,
        "unverified": found.unverified,
        "by_provider": found.by_provider,
        "by_kind": found.by_kind,
        "by_state": found.by_state,
        "waiting": {
            "count": found.waiting,
            "oldest_received_at": iso_z(found.waiting_since) if found.waiting_since else None,
        },
        "dead_letters": {
            "count": sum(found.dead_by_provider.values()),
            "by_provider": found.dead_by_provider,
            "jobs": found.dead_jobs,
        },
    }


def audit_page(page: LogPage) -> dict[str, Any]:
    return {"items": [_audit_entry(event) for event in page.items], "next_before": page.next_before}


def statistics(found: Statistics) -> dict[str, Any]:
    """Amounts are decimal strings per currency."""
    return {
        "days": found.days,
        "payments": {
            "total": found.total,
            "by_status": found.by_status,
            "by_provider": found.by_provider,
            "by_day": found.by_day,
        },
        "amounts": {currency: _totals(totals) for currency, totals in found.totals.items()},
        "open_attempts": found.open_attempts,
        "open_refunds": found.open_refunds,
        "reviews": found.reviews,
        "dead_letters": {"jobs": found.dead_jobs, "webhook_events": found.dead_events},
    }


def reconciliation(report: Report) -> dict[str, Any]:
    return {
        "checked": report.checked,
        "not_checked": report.not_checked,
        "refunds_checked": report.refunds_checked,
        "payouts_checked": report.payouts_checked,
        "jobs_restarted": report.jobs_restarted,
        "outcomes": dict(report.outcomes),
        "in_review": [
            {"payment_id": str(one.payment_id), "reason": one.reason, "provider": one.provider}
            for one in report.in_review
        ],
        "ledger_findings": list(report.ledger_findings),
    }


def _callback_summary(event: ProviderEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "provider": event.provider,
        "provider_event_id": event.provider_event_id,
        "event_type": event.event_type,
        "kind": event.kind,
        "is_verified": event.is_verified,
        "state": event.state,
        "result": event.result,
        "payment_id": str(event.payment_id) if event.payment_id else None,
        "reference": event.reference,
        "provider_reference": event.provider_reference,
        "repeats": event.repeats,
        "received_at": iso_z(event.received_at),
        "processed_at": iso_z(event.processed_at) if event.processed_at else None,
    }


def _readable(body: bytes) -> tuple[str, str]:
    """The body as text, and how it is encoded."""
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), "base64"


def _audit_entry(event: Event) -> dict[str, Any]:
    return {
        "id": event.public_id,
        "sequence": event.seq,
        "event_type": event.type,
        "object_id": event.object_id,
        "tenant_id": str(event.tenant_id) if event.tenant_id else None,
        "actor": event.actor,
        "address": event.address,
        "event_data": event.data,
        "created_at": iso_z(event.at),
    }


def _totals(totals: CurrencyTotals) -> dict[str, str]:
    return {
        "collected": str(totals.collected),
        "refunded": str(totals.refunded),
        "fees": str(totals.fees),
    }

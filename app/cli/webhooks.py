"""`flask webhooks …`: webhooks to merchants, for operators."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import click
from flask.cli import AppGroup

from app import ids
from app.cli.common import principal, refusals_as_sentences
from app.clock import iso_z
from app.models.webhook import WebhookAttempt
from app.services.operator import webhooks as operator_webhooks

PAUSE_S: Final = 1.0

webhooks = AppGroup("webhooks", help="Webhooks to merchants: list, tail, replay.")


class Moment(click.ParamType[datetime]):
    """ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise click.ClickException(f"{value!r} is not a time such as 2026-03-01T12:00:00Z.") from None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@webhooks.command("list")
@click.option("--tenant", "tenant_id", type=click.UUID, help="Of this tenant only.")
def list_endpoints(tenant_id: uuid.UUID | None) -> None:
    """Endpoints, the newest first, with what waits there."""
    with refusals_as_sentences():
        found = operator_webhooks.list_endpoints(tenant_id)
    for one in found:
        state = "enabled" if one.is_enabled else f"disabled ({one.disabled_because})"
        failing = f"  failing since {iso_z(one.failing_since)}" if one.failing_since else ""
        waiting = f"  waiting since {iso_z(one.waiting_since)}" if one.waiting_since else ""
        click.echo(
            f"{ids.short(ids.WEBHOOK_ENDPOINT, one.id)}  {state}  {one.url}  tenant {one.tenant_id}  "
            f"due {one.due}  dead {one.dead}{waiting}{failing}"
        )
    click.echo(f"{len(found)} endpoints.")


@webhooks.command("tail")
@click.option("--endpoint", "endpoint_id", help="Of this endpoint only (we_…).")
@click.option("-n", "count", type=click.IntRange(1, operator_webhooks.MAX_LISTED), default=20)
@click.option("--follow", is_flag=True, help="Go on with new ones, until Ctrl-C.")
def tail(endpoint_id: str | None, count: int, follow: bool) -> None:
    """The latest attempts."""
    last: uuid.UUID | None = None
    while True:
        with refusals_as_sentences():
            found = operator_webhooks.attempts(after=last, endpoint_id=endpoint_id, limit=count)
        for attempt in found:
            click.echo(_line(attempt))
            last = attempt.id
        if not follow:
            return
        time.sleep(PAUSE_S)


@webhooks.command("replay")
@click.argument("endpoint_id")
@click.option("--after", type=Moment(), help="Events made after this time; default: 30 days ago.")
@click.option("--until", type=Moment(), help="And no later than this; default: now.")
def replay(endpoint_id: str, after: datetime | None, until: datetime | None) -> None:
    """Send an endpoint the events of a time again, at most 1,000."""
    with refusals_as_sentences():
        count = operator_webhooks.replay_range(endpoint_id, after=after, until=until, operator=principal())
    click.echo(f"{count} events are being sent.")


def _line(attempt: WebhookAttempt) -> str:
    result = str(attempt.status) if attempt.status is not None else str(attempt.error)
    return (
        f"{iso_z(attempt.at)}  {ids.short(ids.WEBHOOK_ENDPOINT, attempt.endpoint_id)}  "
        f"{ids.short(ids.WEBHOOK_DELIVERY, attempt.delivery_id)}  attempt {attempt.number}  {result}  "
        f"{attempt.duration_ms} ms  {attempt.address or '-'}"
    )

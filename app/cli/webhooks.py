"""`flask webhooks …`: webhooks to merchants, and the platform's own, for operators."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import click
from flask.cli import AppGroup

from app import ids
from app.cli.common import principal, refusals_as_sentences
from app.cli.webhook_catalogue import catalogue
from app.clock import iso_z
from app.events import webhook_messages
from app.models.webhook import WebhookAttempt
from app.services.operator import webhooks as operator_webhooks
from app.services.webhooks import endpoints

PAUSE_S: Final = 1.0

webhooks = AppGroup("webhooks", help="Webhooks: list, tail, replay; and the platform's own endpoints.")


class Moment(click.ParamType[datetime]):
    """ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise click.ClickException(f"{value!r} is not a time such as 2026-03-01T12:00:00Z.") from None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


webhooks.add_command(catalogue)


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
            f"{ids.short(ids.WEBHOOK_ENDPOINT, one.id)}  {state}  {one.url}  "
            f"{f'tenant {one.tenant_id}' if one.tenant_id else 'the platform'}  "
            f"due {one.due}  dead {one.dead}{waiting}{failing}"
        )
    click.echo(f"{len(found)} endpoints.")


@webhooks.command("add")
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(webhook_messages.PLATFORM_CHOICES),
    help="Send this type; give it several times for several. Default: all.",
)
def add(url: str, events: tuple[str, ...]) -> None:
    """An endpoint of the platform's own, for what belongs to no tenant: payments between users."""
    with refusals_as_sentences():
        made, secret = endpoints.register(principal(), url, events or None)
    click.echo(f"Endpoint {ids.short(ids.WEBHOOK_ENDPOINT, made.id)}. Its secret, shown only now: {secret}")


@webhooks.command("rotate-secret")
@click.argument("endpoint_id")
def rotate_secret(endpoint_id: str) -> None:
    """A new secret for an endpoint of the platform's own; both sign for 24 hours."""
    with refusals_as_sentences():
        _, secret = endpoints.rotate_secret(principal(), endpoint_id)
    click.echo(f"The secret, shown only now: {secret}")


@webhooks.command("remove")
@click.argument("endpoint_id")
def remove(endpoint_id: str) -> None:
    """Delete an endpoint of the platform's own."""
    with refusals_as_sentences():
        endpoints.delete(principal(), endpoint_id)
    click.echo(f"Nothing more is sent to {endpoint_id}.")


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

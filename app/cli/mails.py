"""`flask mails …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.cli.common import refusals_as_sentences
from app.clock import iso_z
from app.models import Notification
from app.models.notification import NotificationState
from app.services.customers.masking import masked
from app.services.mail import notifications

mails = AppGroup("mails", help="The gateway's mails.")


@mails.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in NotificationState]), help="In this state only."
)
@click.option("--limit", type=click.IntRange(1, notifications.MAX_LISTED), default=20, show_default=True)
def list_mails(state: str | None, limit: int) -> None:
    """The newest mails: when they were queued, what each is about, and how far it has come."""
    wanted = NotificationState(state) if state is not None else None
    with refusals_as_sentences():
        found = notifications.newest(limit=limit, state=wanted)
    for notification in found:
        click.echo(_line(notification))
    click.echo(f"{len(found)} mails.")


def _line(notification: Notification) -> str:
    failing = f"  {notification.last_error}" if notification.last_error else ""
    return (
        f"{iso_z(notification.created_at)}  {notification.id}  {notification.kind} {notification.ref}  "
        f"{masked(notification.recipient)}  {notification.state}  attempts {notification.attempts}{failing}"
    )

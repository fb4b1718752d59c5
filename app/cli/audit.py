"""`flask audit …`."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from app.services.operator import audit as audit_log

audit = AppGroup("audit", help="The event log.")


@audit.command("verify")
@click.option("--anchor/--no-anchor", default=True, help="Also compare it with the anchors under VAR_DIR.")
def audit_verify(anchor: bool) -> None:
    """Walk the event log and name the first row that was altered, removed or cut off."""
    folder = Path(current_app.config["VAR_DIR"]) / "audit" if anchor else None
    count, found = audit_log.verify(current_app.config["AUDIT_KEY"], anchors=folder)
    if found:
        raise click.ClickException(f"Event {found.seq} is {found.reason}.")
    click.echo(f"The event log is whole: {count} events.")

"""`flask ledger …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app import ledger
from app.unit_of_work import reading

ledger_commands = AppGroup("ledger", help="The double-entry ledger.")


@ledger_commands.command("check")
def ledger_check() -> None:
    """Prove on live data that no money appeared or vanished."""
    with reading() as session:
        findings = ledger.check(session)
    for finding in findings:
        click.echo(str(finding))
    if findings:
        raise click.ClickException(f"{len(findings)} findings.")
    click.echo("The ledger is clean.")

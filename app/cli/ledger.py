"""`flask ledger …`."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from app import ledger
from app.services.operator import provider_books
from app.unit_of_work import reading

ledger_commands = AppGroup("ledger", help="The double-entry ledger.")


@ledger_commands.command("check")
def ledger_check() -> None:
    """Prove on live data that no money appeared or vanished; with simulators, that their books say the same."""
    with reading() as session:
        findings = ledger.check(session)
    if not current_app.config["IS_PRODUCTION"]:
        findings += _of_simulators()
    for finding in findings:
        click.echo(str(finding))
    if findings:
        raise click.ClickException(f"{len(findings)} findings.")
    click.echo("The ledger is clean.")


def _of_simulators() -> list[ledger.Finding]:
    found = provider_books.compare(current_app.config["SANDBOX_URL"])
    if found is None:
        click.echo("The simulators do not answer: their books were not compared.")
    elif not found:
        click.echo("The simulators' books agree with the clearing accounts.")
    return found or []

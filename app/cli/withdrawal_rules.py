"""`flask tenants …-approvals` and `…-minimum…`: what withdrawals need. Amounts are major units: 1000.00"""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import parsed_amount, principal, refusals_as_sentences
from app.money import format_minor
from app.services.tenants import withdrawal_rules

rules = AppGroup("rules")
"""Commands of `flask tenants`."""


@rules.command("set-approvals")
@click.argument("tenant_id", type=click.UUID)
@click.argument("currency")
@click.argument("from_amount")
@click.argument("approvals", type=click.IntRange(1, withdrawal_rules.MAX_APPROVALS))
def set_approvals(tenant_id: uuid.UUID, currency: str, from_amount: str, approvals: int) -> None:
    """Let a tenant's withdrawals of FROM_AMOUNT and more need so many approvals (1 to 5)."""
    with refusals_as_sentences():
        start = parsed_amount(from_amount, currency)
        withdrawal_rules.set_band(tenant_id, start, approvals, operator=principal())
    click.echo(f"Withdrawals of {start} {start.currency} and more need {_count(approvals)}.")


@rules.command("list-approvals")
@click.argument("tenant_id", type=click.UUID)
def list_approvals(tenant_id: uuid.UUID) -> None:
    """How many approvals a tenant's withdrawals need; one where nothing is listed."""
    with refusals_as_sentences():
        for band in withdrawal_rules.list_bands(tenant_id):
            amount = format_minor(band.from_minor, band.currency)
            click.echo(f"{band.currency}  from {amount}  {_count(band.approvals)}")


@rules.command("remove-approvals")
@click.argument("tenant_id", type=click.UUID)
@click.argument("currency")
@click.argument("from_amount")
def remove_approvals(tenant_id: uuid.UUID, currency: str, from_amount: str) -> None:
    """Remove the band that starts at FROM_AMOUNT."""
    with refusals_as_sentences():
        start = parsed_amount(from_amount, currency)
        withdrawal_rules.remove_band(tenant_id, start, operator=principal())
    click.echo(f"The band from {start} {start.currency} is removed.")


@rules.command("set-minimum")
@click.argument("method")
@click.argument("currency")
@click.argument("amount")
@click.option("--tenant", "tenant_id", type=click.UUID, help="Of this tenant; without it of all.")
def set_minimum(method: str, currency: str, amount: str, tenant_id: uuid.UUID | None) -> None:
    """The least that can be withdrawn by METHOD: mpesa, till or bank_transfer."""
    with refusals_as_sentences():
        minimum = parsed_amount(amount, currency)
        withdrawal_rules.set_minimum(method, minimum, tenant_id=tenant_id, operator=principal())
    click.echo(f"The least that can be withdrawn by {method} is {minimum} {minimum.currency}.")


@rules.command("remove-minimum")
@click.argument("method")
@click.argument("currency")
@click.option("--tenant", "tenant_id", type=click.UUID, help="This tenant's own; without it the platform's.")
def remove_minimum(method: str, currency: str, tenant_id: uuid.UUID | None) -> None:
    """Let the platform's minimum hold for a tenant again; or, without --tenant, remove the platform's."""
    with refusals_as_sentences():
        withdrawal_rules.remove_minimum(method, currency, tenant_id=tenant_id, operator=principal())
    click.echo("The minimum is removed.")


@rules.command("list-minimums")
def list_minimums() -> None:
    """The least that can be withdrawn, by method: the platform's, then tenants' own."""
    with refusals_as_sentences():
        for row in withdrawal_rules.list_minimums():
            owner = row.tenant_id or "every tenant"
            click.echo(f"{row.method:<13}  {format_minor(row.minimum, row.currency)} {row.currency}  {owner}")


def _count(approvals: int) -> str:
    return "1 approval" if approvals == 1 else f"{approvals} approvals"

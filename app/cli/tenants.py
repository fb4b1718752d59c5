"""`flask tenants …`: merchants. Their keys: tenant_keys.py; what their withdrawals need: withdrawal_rules.py."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.cli.tenant_keys import keys
from app.cli.withdrawal_rules import rules
from app.models.tenant import Plan
from app.services.tenants import suspension
from app.services.tenants.tenants import create_tenant, list_tenants

tenants = AppGroup("tenants", help="Merchants, their API keys, and what their withdrawals need.")
for command in (*keys.commands.values(), *rules.commands.values()):
    tenants.add_command(command)


@tenants.command("create")
@click.argument("name")
@click.option(
    "--plan", type=click.Choice([plan.value for plan in Plan]), default=Plan.STARTER.value, show_default=True
)
def tenants_create(name: str, plan: str) -> None:
    """Make a tenant and show its first API key, once."""
    with refusals_as_sentences():
        made, key = create_tenant(name, Plan(plan), operator=principal())
    click.echo(f"Tenant {made.id} ({made.name}, {made.plan}).")
    click.echo(f"API key, shown only now: {key}")


@tenants.command("list")
def tenants_list() -> None:
    """All tenants, oldest first."""
    for known in list_tenants():
        state = "" if known.is_active else "  suspended"
        click.echo(f"{known.id}  {known.plan:<10}  {known.name}{state}")


@tenants.command("suspend")
@click.argument("tenant_id", type=click.UUID)
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def tenants_suspend(tenant_id: uuid.UUID, reason: str) -> None:
    """Refuse a tenant's API keys at once. Money under way still arrives; reactivation undoes it."""
    with refusals_as_sentences():
        changed = suspension.suspend_tenant(tenant_id, reason=reason, operator=principal())
    click.echo(f"Tenant {tenant_id} is suspended{'' if changed else ', as before'}.")


@tenants.command("reactivate")
@click.argument("tenant_id", type=click.UUID)
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def tenants_reactivate(tenant_id: uuid.UUID, reason: str) -> None:
    """Accept a suspended tenant's API keys again."""
    with refusals_as_sentences():
        changed = suspension.reactivate_tenant(tenant_id, reason=reason, operator=principal())
    click.echo(f"Tenant {tenant_id} is active{'' if changed else ', as before'}.")

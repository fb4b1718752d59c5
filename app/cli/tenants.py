"""`flask tenant …`: merchants and their API keys."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.services.tenants import api_keys, tenants
from app.services.tenants import fees as tenant_fees

tenant = AppGroup("tenant", help="Merchants and their API keys.")


@tenant.command("create")
@click.argument("name")
@click.option("--plan", type=click.Choice(tenant_fees.PLANS), default="starter", show_default=True)
def tenant_create(name: str, plan: tenants.Plan) -> None:
    """Make a tenant and show its first API key, once."""
    with refusals_as_sentences():
        made, key = tenants.create_tenant(name, plan, operator=principal())
    click.echo(f"Tenant {made.id} ({made.name}, {made.plan}).")
    click.echo(f"API key, shown only now: {key}")


@tenant.command("list")
def tenant_list() -> None:
    """All tenants, oldest first."""
    for known in tenants.tenants():
        state = "" if known.is_active else "  suspended"
        click.echo(f"{known.id}  {known.plan:<10}  {known.name}{state}")


@tenant.command("key")
@click.argument("tenant_id", type=click.UUID)
@click.argument("name")
def tenant_key(tenant_id: uuid.UUID, name: str) -> None:
    """Another API key for a tenant, shown once."""
    with refusals_as_sentences():
        key = api_keys.add_api_key(tenant_id, name, operator=principal())
    click.echo(f"API key, shown only now: {key}")


@tenant.command("revoke")
@click.argument("prefix")
def tenant_revoke(prefix: str) -> None:
    """End the key that begins with PREFIX (its first 16 characters), at once and for ever."""
    with refusals_as_sentences():
        api_keys.revoke_api_key(prefix, operator=principal())
    click.echo(f"The key {prefix}… opens nothing any more.")

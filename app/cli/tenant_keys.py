"""`flask tenants …-key…`: tenants' API keys. An operator names a key by its first 16 characters."""

from __future__ import annotations

import uuid
from datetime import datetime

import click
from flask.cli import AppGroup

from app import clock
from app.cli.common import principal, refusals_as_sentences
from app.models.tenant import ApiKey, Permission
from app.services.tenants import key_changes

keys = AppGroup("keys")
"""Commands of `flask tenants`."""


@keys.command("list-keys")
@click.argument("tenant_id", type=click.UUID)
def list_keys(tenant_id: uuid.UUID) -> None:
    """A tenant's keys, those that are not revoked first."""
    with refusals_as_sentences():
        for key in key_changes.list_keys(tenant_id):
            used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            click.echo(f"{key.prefix}  {_state(key, clock.now()):<9}  {used}  {key.name}")


@keys.command("add-key")
@click.argument("tenant_id", type=click.UUID)
@click.argument("name")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice([permission.value for permission in Permission]),
    help="Restrict the key to this; give it several times for several. Default: everything.",
)
def add_key(tenant_id: uuid.UUID, name: str, permissions: tuple[str, ...]) -> None:
    """Another API key for a tenant, shown once."""
    with refusals_as_sentences():
        _, key = key_changes.add_api_key(
            tenant_id, name, permissions=[*map(Permission, permissions)] or None, operator=principal()
        )
    click.echo(f"API key, shown only now: {key}")


@keys.command("revoke-key")
@click.argument("prefix")
def revoke_key(prefix: str) -> None:
    """End the key that begins with PREFIX (its first 16 characters), at once and for ever."""
    with refusals_as_sentences():
        key_changes.revoke_api_key(prefix, operator=principal())
    click.echo(f"The key {prefix}… is revoked.")


@keys.command("rotate-key")
@click.argument("prefix")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, key_changes.MAX_OVERLAP_HOURS),
    default=key_changes.DEFAULT_OVERLAP_HOURS,
    show_default=True,
    help="How long the old key is still accepted.",
)
def rotate_key(prefix: str, overlap_hours: int) -> None:
    """A new key in place of the one that begins with PREFIX, shown once."""
    with refusals_as_sentences():
        _, key = key_changes.rotate_api_key(
            prefix, tenant_id=None, overlap_hours=overlap_hours, operator=principal()
        )
    click.echo(f"The key {prefix}… is accepted for {overlap_hours} more hours.")
    click.echo(f"API key, shown only now: {key}")


@keys.command("suspend-key")
@click.argument("prefix")
def suspend_key(prefix: str) -> None:
    """Refuse the key that begins with PREFIX until it is resumed."""
    with refusals_as_sentences():
        _, changed = key_changes.suspend_api_key(prefix, tenant_id=None, operator=principal())
    click.echo(f"The key {prefix}… is suspended{'' if changed else ', as before'}.")


@keys.command("resume-key")
@click.argument("prefix")
def resume_key(prefix: str) -> None:
    """Accept the suspended key that begins with PREFIX again."""
    with refusals_as_sentences():
        _, changed = key_changes.resume_api_key(prefix, tenant_id=None, operator=principal())
    click.echo(f"The key {prefix}… is not suspended{'' if changed else ', as before'}.")


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "suspended" if key.suspended_at is not None else "in use"

"""`flask provider-account …`."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.services.provider_access import accounts as provider_accounts

accounts = AppGroup("provider-account", help="Tenants' own accounts at providers.")


@accounts.command("set")
@click.argument("tenant_id", type=click.UUID)
@click.argument("provider")
@click.argument("values", nargs=-1, metavar="NAME=VALUE…")
@click.option("--environment", type=click.Choice(["sandbox", "live"]), default="live")
def set_account(tenant_id: uuid.UUID, provider: str, values: tuple[str, ...], environment: str) -> None:
    """Store a tenant's credentials; a value written as @file is read from that file."""
    given = dict(_pair(value) for value in values)
    with refusals_as_sentences():
        token = provider_accounts.set_account(
            tenant_id, provider, given, environment=environment, operator=principal()
        )
    click.echo(f"Stored. Its webhook path is /api/v1/webhooks/{provider}/{token}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.ClickException(f"{name!r} is not NAME=VALUE.")
    if value.startswith("@"):
        value = _content(value[1:])
    return name, value


def _content(path: str) -> str:
    try:
        with click.open_file(path) as file:
            return str(file.read()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read as a text file.") from error

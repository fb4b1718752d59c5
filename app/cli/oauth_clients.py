"""`flask oauth-clients …`: applications that act for tenants. An operator names one by its client id."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.models.tenant import Permission
from app.services.oauth import client_changes
from app.services.oauth.client_changes import Registration
from app.services.oauth.clients import GrantType

oauth_clients = AppGroup("oauth-clients", help="Applications that act for tenants.")


@oauth_clients.command("list")
@click.argument("tenant_id", type=click.UUID)
def clients_list(tenant_id: uuid.UUID) -> None:
    """A tenant's applications, those that are not disabled first."""
    with refusals_as_sentences():
        for client in client_changes.list_clients(tenant_id):
            state = "disabled" if client.disabled_at is not None else "in use"
            kind = "public" if client.secret_hash is None else "secret"
            click.echo(
                f"{client.client_id}  {state:<8}  {kind}  {' '.join(client.permissions)}  {client.name}"
            )


@oauth_clients.command("add")
@click.argument("tenant_id", type=click.UUID)
@click.argument("name")
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Once for each; spelt exactly.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    required=True,
    type=click.Choice([permission.value for permission in Permission]),
    help="The most that can be granted to it; give it several times for several.",
)
@click.option(
    "--grant",
    "grants",
    multiple=True,
    type=click.Choice([grant.value for grant in GrantType]),
    default=(GrantType.AUTHORIZATION_CODE.value, GrantType.REFRESH_TOKEN.value),
    show_default=True,
)
@click.option("--public", "is_public", is_flag=True, help="It can keep no secret, and proves itself by PKCE.")
def clients_add(
    tenant_id: uuid.UUID,
    name: str,
    redirect_uris: tuple[str, ...],
    permissions: tuple[str, ...],
    grants: tuple[str, ...],
    is_public: bool,
) -> None:
    """Register an application for a tenant; its secret is shown once."""
    with refusals_as_sentences():
        client, secret = client_changes.add_client(
            tenant_id,
            Registration(name, redirect_uris, grants, permissions),
            is_public=is_public,
            operator=principal(),
        )
    click.echo(f"Client id: {client.client_id}")
    click.echo(f"Secret, shown only now: {secret}" if secret else "It is public: it has no secret.")


@oauth_clients.command("rotate")
@click.argument("client_id")
def clients_rotate(client_id: str) -> None:
    """A new secret for an application, shown once; the old one is refused at once."""
    with refusals_as_sentences():
        _, secret = client_changes.rotate_secret(client_id, tenant_id=None, operator=principal())
    click.echo(f"Secret, shown only now: {secret}")


@oauth_clients.command("disable")
@click.argument("client_id")
def clients_disable(client_id: str) -> None:
    """Refuse an application and all its tokens, at once and for ever."""
    with refusals_as_sentences():
        client_changes.disable_client(client_id, tenant_id=None, operator=principal())
    click.echo(f"The application {client_id} is disabled, and its tokens with it.")

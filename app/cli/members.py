"""`flask members …`: who acts for a tenant. An operator names a member by e-mail address."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.models.member import Role
from app.services.tenants import invitations, member_changes
from app.services.tenants import members as tenant_members

members = AppGroup("members", help="The users who act for a tenant, and their roles.")

_ROLE = click.Choice([role.value for role in Role])


@members.command("list")
@click.argument("tenant_id", type=click.UUID)
def members_list(tenant_id: uuid.UUID) -> None:
    """A tenant's members, the one who joined first first."""
    with refusals_as_sentences():
        for detail in tenant_members.list_members(tenant_id):
            state = "" if detail.member.suspended_at is None else "  suspended"
            click.echo(f"{detail.user.public_id}  {detail.member.role:<13}  {detail.user.email}{state}")


@members.command("invite")
@click.argument("tenant_id", type=click.UUID)
@click.argument("email")
@click.argument("role", type=_ROLE)
def members_invite(tenant_id: uuid.UUID, email: str, role: str) -> None:
    """Make and print the token by which the user with this address becomes a member, to be sent to that address."""
    with refusals_as_sentences():
        invitation, token = invitations.invite(tenant_id, email, Role(role), actor=principal())
    click.echo(f"{invitation.email} can join for 72 hours with the token shown only now: {token}")


@members.command("add")
@click.argument("tenant_id", type=click.UUID)
@click.argument("email")
@click.argument("role", type=_ROLE)
def members_add(tenant_id: uuid.UUID, email: str, role: str) -> None:
    """Make a registered user a member without an invitation: you know who they are."""
    with refusals_as_sentences():
        member_changes.add_member(tenant_id, email, Role(role), operator=principal())
    click.echo(f"{email} is a member with the role {role}.")


@members.command("set-role")
@click.argument("tenant_id", type=click.UUID)
@click.argument("email")
@click.argument("role", type=_ROLE)
def members_set_role(tenant_id: uuid.UUID, email: str, role: str) -> None:
    """Give a member another role, at once."""
    with refusals_as_sentences():
        member_changes.set_role(tenant_id, email, Role(role), actor=principal())
    click.echo(f"{email} has the role {role}.")


@members.command("remove")
@click.argument("tenant_id", type=click.UUID)
@click.argument("email")
def members_remove(tenant_id: uuid.UUID, email: str) -> None:
    """End a membership, at once."""
    with refusals_as_sentences():
        member_changes.remove_member(tenant_id, email, actor=principal())
    click.echo(f"{email} is no member any more.")


@members.command("suspend")
@click.argument("tenant_id", type=click.UUID)
@click.argument("email")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def members_suspend(tenant_id: uuid.UUID, email: str, reason: str) -> None:
    """Refuse what a member asks of this tenant, at once."""
    with refusals_as_sentences():
        member_changes.suspend_member(tenant_id, email, reason=reason, actor=principal())
    click.echo(f"{email} is suspended.")


@members.command("resume")
@click.argument("tenant_id", type=click.UUID)
@click.argument("email")
def members_resume(tenant_id: uuid.UUID, email: str) -> None:
    """End a member's suspension."""
    with refusals_as_sentences():
        member_changes.resume_member(tenant_id, email, actor=principal())
    click.echo(f"{email} is active.")

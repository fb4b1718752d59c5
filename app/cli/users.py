"""`flask user …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.services.identity import scopes

user = AppGroup("user", help="What users may do.")


@user.command("grant")
@click.argument("email")
@click.argument("scope")
def user_grant(email: str, scope: str) -> None:
    """Give a user a scope: admin makes an operator."""
    _set_scope(email, scope, is_granted=True)


@user.command("revoke")
@click.argument("email")
@click.argument("scope")
def user_revoke(email: str, scope: str) -> None:
    """Take a scope from a user, at once."""
    _set_scope(email, scope, is_granted=False)


def _set_scope(email: str, scope: str, *, is_granted: bool) -> None:
    with refusals_as_sentences():
        changed = scopes.set_scope(email, scope, is_granted=is_granted, operator=principal())
    has = "has" if is_granted else "does not have"
    click.echo(f"{email} {has} the scope {scope}{'' if changed else ', as before'}.")

"""`flask users …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.services.identity import email_confirmation, scopes, sessions, suspension

users = AppGroup(
    "users",
    help="Users: what they may do, their e-mail addresses, suspending them, and ending their sessions.",
)


@users.command("grant")
@click.argument("email")
@click.argument("scope")
def users_grant(email: str, scope: str) -> None:
    """Give a user a scope: admin makes an operator."""
    _set_scope(email, scope, is_granted=True)


@users.command("revoke")
@click.argument("email")
@click.argument("scope")
def users_revoke(email: str, scope: str) -> None:
    """Take a scope from a user, at once."""
    _set_scope(email, scope, is_granted=False)


@users.command("suspend")
@click.argument("email")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def users_suspend(email: str, reason: str) -> None:
    """Refuse a user's tokens and logins at once. Reactivation undoes it."""
    with refusals_as_sentences():
        changed = suspension.suspend_user(email, reason=reason, operator=principal())
    click.echo(f"{email} is suspended{'' if changed else ', as before'}.")


@users.command("reactivate")
@click.argument("email")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def users_reactivate(email: str, reason: str) -> None:
    """Accept a suspended user's tokens and logins again."""
    with refusals_as_sentences():
        changed = suspension.reactivate_user(email, reason=reason, operator=principal())
    click.echo(f"{email} is active{'' if changed else ', as before'}.")


@users.command("email-token")
@click.argument("email")
def users_email_token(email: str) -> None:
    """Make and print the token by which a user confirms their e-mail address, to be sent to that address."""
    with refusals_as_sentences():
        token = email_confirmation.make_token(email, operator=principal())
    click.echo(f"{email} can confirm the address for 24 hours with the token shown only now: {token}")


@users.command("confirm-email")
@click.argument("email")
def users_confirm_email(email: str) -> None:
    """Confirm a user's e-mail address without a token: you know that it is theirs."""
    with refusals_as_sentences():
        changed = email_confirmation.confirm_by_operator(email, operator=principal())
    click.echo(f"{email} is confirmed{'' if changed else ', as before'}.")


@users.command("end-sessions")
@click.argument("email")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
def users_end_sessions(email: str, reason: str) -> None:
    """End all sessions of a user at once, who may log in again."""
    with refusals_as_sentences():
        ended = sessions.end_all_sessions(email, reason=reason, operator=principal())
    click.echo(f"{email}: {ended} session{'' if ended == 1 else 's'} ended.")


def _set_scope(email: str, scope: str, *, is_granted: bool) -> None:
    with refusals_as_sentences():
        changed = scopes.set_scope(email, scope, is_granted=is_granted, operator=principal())
    has = "has" if is_granted else "does not have"
    click.echo(f"{email} {has} the scope {scope}{'' if changed else ', as before'}.")

"""`flask payments …`, `flask reconcile`, `flask provider-account …`: provider payments for operators."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext

from app import cli_payment_sheets
from app.errors import GatewayError
from app.providers.base import State
from app.services import operator_decisions, provider_accounts, reconciliation_service

OPERATOR = "operator"

payments = AppGroup("payments", help="Payments that need a person's decision.")
payments.add_command(cli_payment_sheets.waiting)
payments.add_command(cli_payment_sheets.show)
accounts = AppGroup("provider-account", help="Tenants' own accounts at providers.")


def register(app: Flask) -> None:
    """Add these commands to `app`."""
    app.cli.add_command(payments)
    app.cli.add_command(accounts)
    app.cli.add_command(reconcile)


@click.command()
@click.option("--provider", help="Only this provider's payments.")
@with_appcontext
def reconcile(provider: str | None) -> None:
    """Ask the providers about everything that is open, and hold the ledger against it."""
    report = _told(lambda: reconciliation_service.reconcile(provider=provider))
    click.echo(f"{report['checked']} payments and {report['refunds_checked']} refunds were open.")
    for outcome, count in sorted(report["outcomes"].items()):
        click.echo(f"  {outcome}: {count}")
    for waiting in report["in_review"]:
        click.echo(
            f"waits for a decision ({waiting['why']}): {waiting['payment_id']} ({waiting['provider']})"
        )
    for finding in report["ledger_findings"]:
        click.echo(finding)
    if report["ledger_findings"]:
        raise click.ClickException(f"{len(report['ledger_findings'])} findings.")


@payments.command("accept")
@click.argument("payment_id", type=click.UUID)
def accept(payment_id: uuid.UUID) -> None:
    """Give money that came late, or in another amount, to the tenant."""
    _told(lambda: operator_decisions.accept(payment_id, operator=OPERATOR))
    click.echo("The payment is completed with what came.")


@payments.command("give-back")
@click.argument("payment_id", type=click.UUID)
def give_back(payment_id: uuid.UUID) -> None:
    """Refund money that came late, or in another amount, to the customer."""
    refund_id = _told(lambda: operator_decisions.give_back(payment_id, operator=OPERATOR))
    click.echo(f"Refund {refund_id} is on its way.")


@payments.command("declare")
@click.argument("payment_id", type=click.UUID)
@click.argument("outcome", type=click.Choice(["collected", "failed"]))
@click.option("--receipt", help="The provider's receipt, from its portal.")
def declare(payment_id: uuid.UUID, outcome: str, receipt: str | None) -> None:
    """End a payment nobody can be asked about, after looking at the provider's portal."""
    state = State.SUCCEEDED if outcome == "collected" else State.FAILED
    payment = _told(lambda: operator_decisions.declare(payment_id, state, receipt=receipt, operator=OPERATOR))
    click.echo(f"The payment is {payment.status}.")


@payments.command("declare-refund")
@click.argument("refund_id", type=click.UUID)
@click.argument("outcome", type=click.Choice(["returned", "failed"]))
def declare_refund(refund_id: uuid.UUID, outcome: str) -> None:
    """End a refund nobody can be asked about, after looking at the provider's portal."""
    state = State.SUCCEEDED if outcome == "returned" else State.FAILED
    refund = _told(lambda: operator_decisions.declare_refund(refund_id, state, operator=OPERATOR))
    click.echo(f"The refund is {refund.state}.")


@payments.command("record-refund")
@click.argument("payment_id", type=click.UUID)
@click.argument("amount")
@click.option("--reference", required=True, help="The provider's id of the refund, from its portal.")
@click.option("--attempt", type=int, help="Whose money it was, where two attempts collected some.")
def record_refund(payment_id: uuid.UUID, amount: str, reference: str, attempt: int | None) -> None:
    """Book a refund that was made in the provider's portal: AMOUNT in the payment's currency."""
    refund_id = _told(
        lambda: operator_decisions.record_refund(
            payment_id, amount, reference=reference, operator=OPERATOR, attempt_number=attempt
        )
    )
    click.echo(f"Booked as refund {refund_id}.")


@payments.command("record-reversal")
@click.argument("payment_id", type=click.UUID)
@click.option("--attempt", type=int, help="Whose money it was, where two attempts collected some.")
def record_reversal(payment_id: uuid.UUID, attempt: int | None) -> None:
    """Book that the provider took back all that was left of a payment: a dispute that was lost."""
    _told(lambda: operator_decisions.record_reversal(payment_id, operator=OPERATOR, attempt_number=attempt))
    click.echo("The payment is reversed.")


@payments.command("reviewed")
@click.argument("payment_id", type=click.UUID)
def reviewed(payment_id: uuid.UUID) -> None:
    """Say that a person has looked at a payment (a dispute, a refund made in the provider's portal)."""
    _told(lambda: operator_decisions.reviewed(payment_id, operator=OPERATOR))
    click.echo("The payment is not under review any more.")


@accounts.command("set")
@click.argument("tenant_id", type=click.UUID)
@click.argument("provider")
@click.argument("values", nargs=-1, metavar="NAME=VALUE…")
@click.option("--environment", type=click.Choice(["sandbox", "live"]), default="live")
def set_account(tenant_id: uuid.UUID, provider: str, values: tuple[str, ...], environment: str) -> None:
    """Store a tenant's credentials; a value written as @file is read from that file."""
    given = dict(_pair(value) for value in values)
    token = _told(
        lambda: provider_accounts.set_account(
            tenant_id, provider, given, environment=environment, operator=OPERATOR
        )
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


def _told(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except GatewayError as error:
        raise click.ClickException(error.message) from error

"""`flask payments …`, `flask reconcile`, `flask provider-account …`: provider payments for operators."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup, with_appcontext

from app.cli import payment_detail
from app.cli.common import OPERATOR, refusals_as_sentences
from app.providers.base import State
from app.services.operator import decisions, reconciliation

payments = AppGroup("payments", help="Payments that need a person's decision.")
payments.add_command(payment_detail.waiting)
payments.add_command(payment_detail.show)


@click.command()
@click.option("--provider", help="Only this provider's payments.")
@with_appcontext
def reconcile(provider: str | None) -> None:
    """Ask the providers about everything that is open, and hold the ledger against it."""
    with refusals_as_sentences():
        report = reconciliation.reconcile(provider=provider)
    click.echo(f"{report['checked']} payments and {report['refunds_checked']} refunds were open.")
    for outcome, count in sorted(report["outcomes"].items()):
        click.echo(f"  {outcome}: {count}")
    for waiting in report["in_review"]:
        click.echo(
            f"waits for a decision ({waiting['reason']}): {waiting['payment_id']} ({waiting['provider']})"
        )
    for finding in report["ledger_findings"]:
        click.echo(finding)
    if report["ledger_findings"]:
        raise click.ClickException(f"{len(report['ledger_findings'])} findings.")


@payments.command("accept")
@click.argument("payment_id", type=click.UUID)
def accept(payment_id: uuid.UUID) -> None:
    """Give money that came late, or in another amount, to the tenant."""
    with refusals_as_sentences():
        decisions.accept(payment_id, operator=OPERATOR)
    click.echo("The payment is completed with what came.")


@payments.command("give-back")
@click.argument("payment_id", type=click.UUID)
def give_back(payment_id: uuid.UUID) -> None:
    """Refund money that came late, or in another amount, to the customer."""
    with refusals_as_sentences():
        refund_id = decisions.give_back(payment_id, operator=OPERATOR)
    click.echo(f"Refund {refund_id} is on its way.")


@payments.command("declare")
@click.argument("payment_id", type=click.UUID)
@click.argument("outcome", type=click.Choice(["collected", "failed"]))
@click.option("--receipt", help="The provider's receipt, from its portal.")
def declare(payment_id: uuid.UUID, outcome: str, receipt: str | None) -> None:
    """End a payment nobody can be asked about, after looking at the provider's portal."""
    state = State.SUCCEEDED if outcome == "collected" else State.FAILED
    with refusals_as_sentences():
        payment = decisions.declare(payment_id, state, receipt=receipt, operator=OPERATOR)
    click.echo(f"The payment is {payment.status}.")


@payments.command("declare-refund")
@click.argument("refund_id", type=click.UUID)
@click.argument("outcome", type=click.Choice(["returned", "failed"]))
def declare_refund(refund_id: uuid.UUID, outcome: str) -> None:
    """End a refund nobody can be asked about, after looking at the provider's portal."""
    state = State.SUCCEEDED if outcome == "returned" else State.FAILED
    with refusals_as_sentences():
        refund = decisions.declare_refund(refund_id, state, operator=OPERATOR)
    click.echo(f"The refund is {refund.state}.")


@payments.command("record-refund")
@click.argument("payment_id", type=click.UUID)
@click.argument("amount")
@click.option("--reference", required=True, help="The provider's id of the refund, from its portal.")
@click.option("--attempt", type=int, help="Whose money it was, where two attempts collected some.")
def record_refund(payment_id: uuid.UUID, amount: str, reference: str, attempt: int | None) -> None:
    """Book a refund that was made in the provider's portal: AMOUNT in the payment's currency."""
    with refusals_as_sentences():
        refund_id = decisions.record_refund(
            payment_id, amount, reference=reference, operator=OPERATOR, attempt_number=attempt
        )
    click.echo(f"Booked as refund {refund_id}.")


@payments.command("record-reversal")
@click.argument("payment_id", type=click.UUID)
@click.option("--attempt", type=int, help="Whose money it was, where two attempts collected some.")
def record_reversal(payment_id: uuid.UUID, attempt: int | None) -> None:
    """Book that the provider took back all that was left of a payment: a dispute that was lost."""
    with refusals_as_sentences():
        decisions.record_reversal(payment_id, operator=OPERATOR, attempt_number=attempt)
    click.echo("The payment is reversed.")


@payments.command("reviewed")
@click.argument("payment_id", type=click.UUID)
def reviewed(payment_id: uuid.UUID) -> None:
    """Say that a person has looked at a payment (a dispute, a refund made in the provider's portal)."""
    with refusals_as_sentences():
        decisions.reviewed(payment_id, operator=OPERATOR)
    click.echo("The payment is not under review any more.")

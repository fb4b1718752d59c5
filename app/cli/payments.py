"""`flask payments …`, `flask reconcile`, `flask provider-account …`: provider payments for operators."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup, with_appcontext

from app.cli import payment_detail
from app.cli.common import principal, refusals_as_sentences
from app.models.payment_review import ReviewReason
from app.providers.base import State
from app.services.operator import decisions, reconciliation

payments = AppGroup("payments", help="Payments under review: list, show, decide.")
payments.add_command(payment_detail.in_review)
payments.add_command(payment_detail.show)


@click.command()
@click.option("--provider", help="Only this provider's payments.")
@with_appcontext
def reconcile(provider: str | None) -> None:
    """Query the providers about every open payment and refund, and check the ledger."""
    with refusals_as_sentences():
        report = reconciliation.reconcile(provider=provider)
    click.echo(
        f"{report.checked} payments, {report.refunds_checked} refunds and {report.payouts_checked} payouts were open."
    )
    for outcome, count in sorted(report.outcomes.items()):
        click.echo(f"  {outcome}: {count}")
    for review in report.in_review:
        click.echo(f"under review ({review.reason}): {review.payment_id} ({review.provider})")
    for finding in report.ledger_findings:
        click.echo(finding)
    if report.ledger_findings:
        raise click.ClickException(f"{len(report.ledger_findings)} findings.")


@payments.command("accept-unmatched")
@click.argument("payment_id", type=click.UUID)
def accept_unmatched(payment_id: uuid.UUID) -> None:
    """Release money in suspense to the merchant: it arrived late, or in another amount."""
    with refusals_as_sentences():
        decisions.accept_unmatched(payment_id, operator=principal())
    click.echo("The payment is completed with the amount that was collected.")


@payments.command("refund-unmatched")
@click.argument("payment_id", type=click.UUID)
def refund_unmatched(payment_id: uuid.UUID) -> None:
    """Refund money in suspense to the customer: it arrived late, or in another amount."""
    with refusals_as_sentences():
        refund_id = decisions.refund_unmatched(payment_id, operator=principal())
    click.echo(f"Refund {refund_id} is being sent.")


@payments.command("resolve")
@click.argument("payment_id", type=click.UUID)
@click.option("--paid/--failed", "is_paid", required=True, help="What the provider's dashboard shows.")
@click.option("--receipt", help="The provider's receipt, from its dashboard. Required with --paid.")
def resolve(payment_id: uuid.UUID, is_paid: bool, receipt: str | None) -> None:
    """End a payment that the provider cannot be queried about, or record that one which failed was paid after all."""
    state = State.SUCCEEDED if is_paid else State.FAILED
    with refusals_as_sentences():
        payment = decisions.resolve_payment(payment_id, state, receipt=receipt, operator=principal())
    click.echo(f"The payment is {payment.status}.")


@payments.command("resolve-refund")
@click.argument("refund_id", type=click.UUID)
@click.option(
    "--completed/--failed", "is_completed", required=True, help="What the provider's dashboard shows."
)
def resolve_refund(refund_id: uuid.UUID, is_completed: bool) -> None:
    """End a refund that the provider cannot be queried about."""
    state = State.SUCCEEDED if is_completed else State.FAILED
    with refusals_as_sentences():
        refund = decisions.resolve_refund(refund_id, state, operator=principal())
    click.echo(f"The refund is {refund.state}.")


@payments.command("record-refund")
@click.argument("payment_id", type=click.UUID)
@click.argument("amount")
@click.option("--reference", required=True, help="The provider's id of the refund, from its dashboard.")
@click.option("--attempt", type=int, help="Number of the attempt, where two attempts collected money.")
def record_refund(payment_id: uuid.UUID, amount: str, reference: str, attempt: int | None) -> None:
    """Record a refund that was made in the provider's dashboard: AMOUNT in the payment's currency."""
    with refusals_as_sentences():
        refund_id = decisions.record_refund(
            payment_id, amount, reference=reference, operator=principal(), attempt_number=attempt
        )
    click.echo(f"Recorded as refund {refund_id}.")


@payments.command("record-reversal")
@click.argument("payment_id", type=click.UUID)
@click.option("--attempt", type=int, help="Number of the attempt, where two attempts collected money.")
def record_reversal(payment_id: uuid.UUID, attempt: int | None) -> None:
    """Record that the provider reversed all that was left of a payment (a lost dispute, for example)."""
    with refusals_as_sentences():
        decisions.record_reversal(payment_id, operator=principal(), attempt_number=attempt)
    click.echo("The payment is reversed.")


@payments.command("close-review")
@click.argument("payment_id", type=click.UUID)
@click.option("--reason", type=click.Choice(list(ReviewReason)), help="Which review, where several are open.")
def close_review(payment_id: uuid.UUID, reason: str | None) -> None:
    """Close a review that needs no other decision (a dispute that was answered, for example)."""
    with refusals_as_sentences():
        chosen = {known.value: known for known in ReviewReason}[reason] if reason else None
        decisions.close_review(payment_id, operator=principal(), reason=chosen)
    click.echo("The review is closed.")

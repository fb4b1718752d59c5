"""`flask withdrawals …`: withdrawals under review, for operators."""

from __future__ import annotations

import uuid

import click
from flask.cli import AppGroup

from app.cli.common import principal, refusals_as_sentences
from app.clock import iso_z
from app.models.withdrawal import WithdrawalReviewReason
from app.providers.base import State
from app.services.operator import withdrawal_decisions as decisions
from app.services.withdrawals import rows as withdrawal_rows
from app.services.withdrawals.masking import masked
from app.services.withdrawals.reviews import open_reasons

withdrawals = AppGroup("withdrawals", help="Withdrawals under review: list, show, decide.")


@withdrawals.command("in-review")
def in_review() -> None:
    """Withdrawals that an operator must look at, the oldest first."""
    with refusals_as_sentences():
        found = decisions.in_review()
    for review in found:
        click.echo(
            f"{iso_z(review.opened_at)}  {review.reason.value}  {review.withdrawal_id}  {review.amount} "
            f"{review.amount.currency}  tenant {review.tenant_id}"
        )
    click.echo(f"{len(found)} under review.")


@withdrawals.command("show")
@click.argument("withdrawal_id", type=click.UUID)
def show(withdrawal_id: uuid.UUID) -> None:
    """A withdrawal with its payout, as the provider knows it, and why it is under review."""
    with refusals_as_sentences():
        rows = withdrawal_rows.read(withdrawal_id)
    withdrawal, payout = rows.withdrawal, rows.payout
    click.echo(f"{withdrawal.id}  {withdrawal.status}  tenant {withdrawal.tenant_id}")
    click.echo(f"  amount {withdrawal.amount}, fee {withdrawal.fee} minor units of {withdrawal.currency}")
    click.echo(f"  to {withdrawal.method} {dict(masked(withdrawal.destination))}")
    click.echo(f"  initiated by {withdrawal.initiated_by}, {len(rows.approvals)} approvals")
    if payout is not None:
        click.echo(f"  payout {payout.id}  {payout.state} at {payout.provider}")
        click.echo(f"    our reference {payout.reference}, the provider's {payout.provider_reference}")
        click.echo(f"    last answer {payout.error_code}: {payout.error_message}")
    for reason in open_reasons(rows):
        click.echo(f"  under review ({reason.value}): {reason.description}")


@withdrawals.command("resolve")
@click.argument("withdrawal_id", type=click.UUID)
@click.option("--paid/--failed", "is_paid", required=True, help="What the provider's dashboard shows.")
def resolve(withdrawal_id: uuid.UUID, is_paid: bool) -> None:
    """End a payout that the provider cannot be queried about."""
    state = State.SUCCEEDED if is_paid else State.FAILED
    with refusals_as_sentences():
        withdrawal = decisions.resolve(withdrawal_id, state, operator=principal())
    click.echo(f"The withdrawal is {withdrawal.status}.")


@withdrawals.command("record-return")
@click.argument("withdrawal_id", type=click.UUID)
def record_return(withdrawal_id: uuid.UUID) -> None:
    """Record that a completed payout came back: the tenant has its amount again."""
    with refusals_as_sentences():
        withdrawal = decisions.record_return(withdrawal_id, operator=principal())
    click.echo(f"The withdrawal is {withdrawal.status}.")


@withdrawals.command("record-paid")
@click.argument("withdrawal_id", type=click.UUID)
def record_paid(withdrawal_id: uuid.UUID) -> None:
    """Record that a payout which had failed was made: the tenant is debited, and owes what it does not have."""
    with refusals_as_sentences():
        withdrawal = decisions.record_paid(withdrawal_id, operator=principal())
    click.echo(f"The withdrawal is {withdrawal.status}.")


@withdrawals.command("close-review")
@click.argument("withdrawal_id", type=click.UUID)
@click.argument("reason", type=click.Choice([reason.value for reason in WithdrawalReviewReason]))
@click.option("--remark", required=True, help="What you found; kept in the audit log.")
def close_review(withdrawal_id: uuid.UUID, reason: str, remark: str) -> None:
    """Close a review that needs no other decision."""
    chosen = {known.value: known for known in WithdrawalReviewReason}[reason]
    with refusals_as_sentences():
        decisions.close_review(withdrawal_id, chosen, remark=remark, operator=principal())
    click.echo("The review is closed.")

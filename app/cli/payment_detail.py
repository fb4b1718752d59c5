"""`flask payments in-review` and `flask payments show`: payments under review, and one payment in detail."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime

import click
from flask.cli import with_appcontext

from app.clock import iso_z
from app.errors import GatewayError
from app.models.dispute import Dispute
from app.models.payment import PaymentAttempt, Refund
from app.money import Money
from app.services.operator import payment_detail
from app.services.operator.payment_detail import PaymentDetail


@click.command("in-review")
@with_appcontext
def in_review() -> None:
    """Payments that need an operator, with what was requested and what was collected."""
    found = payment_detail.payments_in_review()
    for one in found:
        payment = one.payment
        requested = f"requested {_words(payment.requested)}"
        collected = "".join(f"  collected {_words(money)}" for money in one.collected)
        reasons = ", ".join(payment.open_reviews)
        click.echo(f"{payment.id}  {reasons}  {payment.provider}  {payment.status}  {requested}{collected}")
    if not found:
        click.echo("No payment is under review.")


@click.command("show")
@click.argument("payment_id", type=click.UUID)
@with_appcontext
def show(payment_id: uuid.UUID) -> None:
    """A payment, its attempts, refunds and disputes, with their ids here and at the provider."""
    try:
        detail = payment_detail.payment_detail(payment_id)
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    for line in _lines(detail):
        click.echo(line)


def _lines(detail: PaymentDetail) -> Iterator[str]:
    payment = detail.payment
    amount = Money(payment.amount, payment.currency)
    yield f"Payment {payment.id} of {detail.tenant}"
    yield from _facts(
        status=payment.status,
        reference=payment.reference,
        description=payment.description,
        amount=_words(amount),
        requested=_words(payment.requested) if _is_other_amount(detail) else None,
        review=", ".join(payment.open_reviews) or None,
        failure=_failure(payment.failure_code, payment.failure_reason),
        refunded=str(Money(payment.refunded, payment.currency)) if payment.refunded else None,
        created=_time(payment.created_at),
        completed=_time(payment.completed_at),
    )
    for attempt in detail.attempts:
        yield f"Attempt {attempt.number} at {attempt.provider} ({attempt.environment}): {attempt.state}"
        yield from _facts(**_of_attempt(attempt))
    for refund in detail.refunds:
        yield f"Refund {refund.id}: {refund.state}, {_words(Money(refund.amount, refund.currency))}"
        yield from _facts(**_of_refund(refund))
    for dispute in detail.disputes:
        yield f"Dispute {dispute.id}: {dispute.state}, {_words(Money(dispute.amount, dispute.currency))}"
        yield from _facts(**_of_dispute(dispute))


def _is_other_amount(detail: PaymentDetail) -> bool:
    """Whether the payment is about, or an attempt has collected, another amount than was requested."""
    payment = detail.payment
    collected = (attempt.collected_money for attempt in detail.attempts)
    amounts = (Money(payment.amount, payment.currency), *filter(None, collected))
    return any(money != payment.requested for money in amounts)


def _of_attempt(attempt: PaymentAttempt) -> dict[str, str | None]:
    collected = attempt.collected_money
    return {
        "account": str(attempt.account_id or "platform"),
        "reference": attempt.reference,
        "short reference": attempt.short_reference,
        "provider's id": attempt.provider_reference,
        "receipt": attempt.receipt,
        "collected": _words(collected) if collected is not None else None,
        "sent": _time(attempt.sent_at),
        "error": _failure(attempt.error_code, attempt.error_message),
    }


def _of_refund(refund: Refund) -> dict[str, str | None]:
    return {
        "reference": refund.reference,
        "provider's id": refund.provider_reference,
        "made through": refund.origin,
        "reason": refund.reason,
        "failure": _failure(refund.failure_code, refund.failure_reason),
        "error": _failure(refund.error_code, refund.error_message),
        "created": _time(refund.created_at),
    }


def _of_dispute(dispute: Dispute) -> dict[str, str | None]:
    held, owed = (Money(amount, dispute.currency) for amount in (dispute.held, dispute.owed))
    return {
        "provider's id": dispute.provider_reference,
        "provider's word": dispute.provider_status,
        "reason": dispute.reason,
        "held": _words(held) if dispute.held else None,
        "owed": _words(owed) if dispute.owed else None,
        "opened": _time(dispute.opened_at),
        "closed": _time(dispute.closed_at),
    }


def _failure(code: str | None, sentence: str | None) -> str | None:
    return " ".join(filter(None, (code, sentence))) or None


def _facts(**facts: str | None) -> Iterator[str]:
    return (f"  {name:<15}  {value}" for name, value in facts.items() if value is not None)


def _words(money: Money) -> str:
    return f"{money} {money.currency}"


def _time(moment: datetime | None) -> str | None:
    return iso_z(moment) if moment else None

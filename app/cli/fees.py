"""`flask fees …`."""

from __future__ import annotations

import uuid
from decimal import Decimal

import click
from flask.cli import AppGroup

from app.cli.common import decimal_of, parsed_amount, principal, refusals_as_sentences
from app.models.fee_rule import FeeRule
from app.models.tenant import Plan
from app.money import format_minor
from app.providers.base import PayoutMethod
from app.services.tenants import fees as tenant_fees

fees = AppGroup("fees", help="What tenants pay for operations.")


@fees.command("list")
def fees_list() -> None:
    """Every rule; the most specific one decides."""
    for rule in tenant_fees.rules():
        click.echo(_line(rule))


def _line(rule: FeeRule) -> str:
    facts = {
        "tenant": rule.tenant_id,
        "plan": rule.plan,
        "provider": rule.provider,
        "method": rule.method,
        "currency": rule.currency,
    }
    parts = [f"{name}={value}" for name, value in facts.items() if value is not None]
    if rule.currency and rule.from_minor:
        parts.append(f"from={format_minor(rule.from_minor, rule.currency)}")
    if rule.currency and rule.below_minor is not None:
        parts.append(f"below={format_minor(rule.below_minor, rule.currency)}")
    fixed = (
        f"{format_minor(rule.fixed_minor, rule.currency)} + " if rule.currency and rule.fixed_minor else ""
    )
    rate = (Decimal(rule.rate_ppm) / 10_000).normalize()
    return f"{rule.id}  {rule.operation}  {' '.join(parts) or 'every tenant'}  {fixed}{rate:f} %"


@fees.command("set")
@click.option("--operation", type=click.Choice(tenant_fees.OPERATIONS), default="payment", show_default=True)
@click.option("--tenant", "tenant_id", type=click.UUID)
@click.option("--plan", type=click.Choice([plan.value for plan in Plan]))
@click.option("--provider")
@click.option("--method", help=f"Of a withdrawal: {', '.join(PayoutMethod)}.")
@click.option("--currency", help="Three letters; needed where amounts are given.")
@click.option("--from", "start", default="0", help="Smallest amount of the band.")
@click.option("--below", help="The band ends before this amount.")
@click.option("--fixed", help="Fixed part of the fee.")
@click.option("--rate", help="Per cent of the amount: 3.5; 0 with no fixed part: no fee.")
def fees_set(
    operation: str,
    tenant_id: uuid.UUID | None,
    plan: str | None,
    provider: str | None,
    method: str | None,
    currency: str | None,
    start: str,
    below: str | None,
    fixed: str | None,
    rate: str | None,
) -> None:
    """Make a rule, in place of the one with the same match. Amounts are major units: 10.00"""
    if fixed is None and rate is None:
        raise click.ClickException("A rule needs --fixed, --rate, or both.")
    if method is not None and operation == "payment":
        raise click.ClickException("--method is for --operation withdrawal: payments have a provider.")
    with refusals_as_sentences():
        code = currency.upper() if currency else None
        match = tenant_fees.Match(
            operation=operation,
            tenant_id=tenant_id,
            plan=plan,
            provider=provider,
            method=method,
            currency=code,
            from_minor=_minor(start, code),
            below_minor=_minor(below, code) if below is not None else None,
        )
        rule_id = tenant_fees.set_rule(
            match, fixed_minor=_minor(fixed or "0", code), rate_ppm=_ppm(rate or "0"), operator=principal()
        )
    click.echo(f"Rule {rule_id} is in force.")


@fees.command("remove")
@click.argument("rule_id", type=click.UUID)
def fees_remove(rule_id: uuid.UUID) -> None:
    """Remove a rule by its id."""
    with refusals_as_sentences():
        tenant_fees.remove_rule(rule_id, operator=principal())
    click.echo(f"Rule {rule_id} is gone.")


def _minor(text: str, currency: str | None) -> int:
    """Major units as minor ones; zero is allowed here, an amount without a currency is not."""
    if currency is not None:
        return parsed_amount(text, currency).amount_minor
    if decimal_of(text) != 0:
        raise click.ClickException("An amount needs --currency.")
    return 0


def _ppm(text: str) -> int:
    ppm = decimal_of(text) * 10_000
    if ppm != ppm.to_integral_value() or not 0 <= ppm <= tenant_fees.MILLION:
        raise click.ClickException("A rate is 0 to 100 per cent, with at most four decimals.")
    return int(ppm)

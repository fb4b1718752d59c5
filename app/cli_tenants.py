"""`flask tenant …`, `flask user …`, `flask fees …`: merchants, operators and what operations cost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import click
from flask import Flask
from flask.cli import AppGroup

from app import json_numbers
from app.errors import GatewayError
from app.models.fee_rule import FeeRule
from app.money import Money, exponent_of, format_minor
from app.services import fee_service, scope_service, tenant_service

tenant = AppGroup("tenant", help="Merchants and their API keys.")
user = AppGroup("user", help="What users may do.")
fees = AppGroup("fees", help="What tenants pay for operations.")


def register(app: Flask) -> None:
    """Add these commands to `app`."""
    for group in (tenant, user, fees):
        app.cli.add_command(group)


@contextmanager
def _sentences() -> Iterator[None]:
    """A refusal ends the command with its sentence."""
    try:
        yield
    except GatewayError as error:
        raise click.ClickException(error.message) from error


@tenant.command("create")
@click.argument("name")
@click.option("--plan", type=click.Choice(fee_service.PLANS), default="starter", show_default=True)
def tenant_create(name: str, plan: tenant_service.Plan) -> None:
    """Make a tenant and show its first API key, once."""
    with _sentences():
        made, key = tenant_service.create_tenant(name, plan)
    click.echo(f"Tenant {made.id} ({made.name}, {made.plan}).")
    click.echo(f"API key, shown only now: {key}")


@tenant.command("list")
def tenant_list() -> None:
    """All tenants, oldest first."""
    for known in tenant_service.tenants():
        state = "" if known.is_active else "  suspended"
        click.echo(f"{known.id}  {known.plan:<10}  {known.name}{state}")


@tenant.command("key")
@click.argument("tenant_id", type=click.UUID)
@click.argument("name")
def tenant_key(tenant_id: uuid.UUID, name: str) -> None:
    """Another API key for a tenant, shown once."""
    with _sentences():
        key = tenant_service.add_api_key(tenant_id, name)
    click.echo(f"API key, shown only now: {key}")


@tenant.command("revoke")
@click.argument("prefix")
def tenant_revoke(prefix: str) -> None:
    """End the key that begins with PREFIX (its first 16 characters), at once and for ever."""
    with _sentences():
        tenant_service.revoke_api_key(prefix)
    click.echo(f"The key {prefix}… opens nothing any more.")


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
    with _sentences():
        changed = scope_service.set_scope(email, scope, is_granted=is_granted)
    has = "has" if is_granted else "does not have"
    click.echo(f"{email} {has} the scope {scope}{'' if changed else ', as before'}.")


@fees.command("list")
def fees_list() -> None:
    """Every rule; the most specific one decides."""
    for rule in fee_service.rules():
        click.echo(_line(rule))


def _line(rule: FeeRule) -> str:
    facts = {
        "tenant": rule.tenant_id, "plan": rule.plan, "provider": rule.provider, "method": rule.method,
        "currency": rule.currency,
    }  # fmt: skip
    words = [f"{name}={value}" for name, value in facts.items() if value is not None]
    if rule.currency and rule.from_minor:
        words.append(f"from={format_minor(rule.from_minor, rule.currency)}")
    if rule.currency and rule.below_minor is not None:
        words.append(f"below={format_minor(rule.below_minor, rule.currency)}")
    fixed = (
        f"{format_minor(rule.fixed_minor, rule.currency)} + " if rule.currency and rule.fixed_minor else ""
    )
    rate = (Decimal(rule.rate_ppm) / 10_000).normalize()
    return f"{rule.id}  {rule.operation}  {' '.join(words) or 'anybody'}  {fixed}{rate:f} %"


@fees.command("set")
@click.option("--operation", type=click.Choice(fee_service.OPERATIONS), default="payment", show_default=True)
@click.option("--tenant", "tenant_id", type=click.UUID)
@click.option("--plan", type=click.Choice(fee_service.PLANS))
@click.option("--provider")
@click.option("--method")
@click.option("--currency", help="Three letters; needed where amounts are given.")
@click.option("--from", "start", default="0", help="Smallest amount of the band.")
@click.option("--below", help="The band ends before this amount.")
@click.option("--fixed", help="Fixed part of the fee.")
@click.option("--rate", help="Per cent of the amount: 3.5; 0 with no fixed part: no fee.")
def fees_set(
    operation: str, tenant_id: uuid.UUID | None, plan: str | None, provider: str | None, method: str | None,
    currency: str | None, start: str, below: str | None, fixed: str | None, rate: str | None,
) -> None:  # fmt: skip
    """Make a rule, in place of the one with the same match. Amounts are major units: 10.00"""
    if fixed is None and rate is None:
        raise click.ClickException("A rule needs --fixed, --rate, or both.")
    if method is not None and operation == "payment":
        raise click.ClickException("--method is for --operation withdrawal: payments have a provider.")
    with _sentences():
        code = currency.upper() if currency else None
        match = fee_service.Match(
            operation=operation, tenant_id=tenant_id, plan=plan, provider=provider, method=method, currency=code,
            from_minor=_minor(start, code), below_minor=_minor(below, code) if below is not None else None,
        )  # fmt: skip
        rule_id = fee_service.set_rule(
            match, fixed_minor=_minor(fixed or "0", code), rate_ppm=_ppm(rate or "0")
        )
    click.echo(f"Rule {rule_id} is in force.")


@fees.command("remove")
@click.argument("rule_id", type=click.UUID)
def fees_remove(rule_id: uuid.UUID) -> None:
    """Remove a rule by its id."""
    with _sentences():
        fee_service.remove_rule(rule_id)
    click.echo(f"Rule {rule_id} is gone.")


def _minor(text: str, currency: str | None) -> int:
    """Major units as minor ones; zero is allowed here, an amount without a currency is not."""
    if _decimal(text) == 0:
        return 0
    if currency is None:
        raise click.ClickException("An amount needs --currency.")
    exponent_of(currency)
    return Money.parse(text, currency).amount_minor


def _ppm(text: str) -> int:
    ppm = _decimal(text) * 10_000
    if ppm != ppm.to_integral_value() or not 0 <= ppm <= fee_service.MILLION:
        raise click.ClickException("A rate is 0 to 100 per cent, with at most four decimals.")
    return int(ppm)


def _decimal(text: str) -> Decimal:
    try:
        return json_numbers.decimal(text)
    except ValueError as error:
        raise click.ClickException(f"{text!r} is not a number.") from error

"""What tenants pay for operations: rules are rows, the most specific one decides.

More specific first: the tenant's own, its plan's, every tenant's; then of this provider; then of this method; then of this currency;
then the narrowest band of amounts. Of two that are equal the newer one counts. No rule: no fee.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.fee_rule import FeeRule
from app.models.tenant import Plan, Tenant
from app.money import Money, exponent_of
from app.principal import SYSTEM, Principal
from app.providers import PROVIDERS
from app.providers.base import PayoutMethod
from app.unit_of_work import reading, transaction

OPERATIONS: Final = ("payment", "withdrawal")

MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule applies to; None: anything. from_minor ≤ amount < below_minor, in minor units of `currency`."""

    operation: str = "payment"
    tenant_id: uuid.UUID | None = None
    plan: str | None = None
    provider: str | None = None
    method: str | None = None
    currency: str | None = None
    from_minor: int = 0
    below_minor: int | None = None


def payment_fee(rules: Iterable[FeeRule], *, tenant: Tenant, provider: str, amount: Money) -> int:
    """The tenant's fee for a collected payment: minor units of the payment's currency, 0 to the whole amount."""
    own = (rule for rule in rules if rule.operation == "payment" and rule.method is None)
    fitting = (rule for rule in own if rule.provider in (None, provider) and _fits(rule, tenant, amount))
    rule = most_specific(fitting)
    if rule is None:
        return 0
    return fee_of(amount.amount_minor, fixed_minor=rule.fixed_minor, rate_ppm=rule.rate_ppm)


def withdrawal_fee(rules: Iterable[FeeRule], *, tenant: Tenant, method: str, amount: Money) -> int:
    """The tenant's fee for a withdrawal by `method`: minor units of its currency; it may be more than the amount, which is then
    too small to withdraw."""
    own = (rule for rule in rules if rule.operation == "withdrawal" and rule.provider is None)
    fitting = (rule for rule in own if rule.method in (None, method) and _fits(rule, tenant, amount))
    rule = most_specific(fitting)
    return 0 if rule is None else rule.fixed_minor + _rated(amount.amount_minor, rule.rate_ppm)


def _fits(rule: FeeRule, tenant: Tenant, amount: Money) -> bool:
    return (
        rule.tenant_id in (None, tenant.id)
        and rule.plan in (None, tenant.plan)
        and rule.currency in (None, amount.currency)
        and rule.from_minor <= amount.amount_minor
        and (rule.below_minor is None or amount.amount_minor < rule.below_minor)
    )


def most_specific(rules: Iterable[FeeRule]) -> FeeRule | None:
    """The one that decides, of rules that all fit; None when there is none."""
    return max(rules, key=_rank, default=None)


def _rank(rule: FeeRule) -> tuple[Any, ...]:
    width = math.inf if rule.below_minor is None else rule.below_minor - rule.from_minor
    return (
        rule.tenant_id is not None,
        rule.plan is not None,
        rule.provider is not None,
        rule.method is not None,
        rule.currency is not None,
        -width,
        rule.from_minor,
        rule.created_at,
        rule.id,
    )


def fee_of(amount_minor: int, *, fixed_minor: int, rate_ppm: int) -> int:
    """fixed + amount × rate / 1,000,000, rounded half up, at most the amount. Minor units; whole numbers all the way."""
    return min(fixed_minor + _rated(amount_minor, rate_ppm), amount_minor)


def _rated(amount_minor: int, rate_ppm: int) -> int:
    return (2 * amount_minor * rate_ppm + MILLION) // (2 * MILLION)


def rules() -> Sequence[FeeRule]:
    """Every rule, oldest first."""
    with reading() as session:
        return session.scalars(select(FeeRule).order_by(FeeRule.created_at, FeeRule.id)).all()


def set_rule(match: Match, *, fixed_minor: int, rate_ppm: int, operator: Principal = SYSTEM) -> uuid.UUID:
    """Make the rule for exactly this match, in place of the one there was; the new rule's id. Raises InvalidRequest."""
    _require_sound(match, fixed_minor=fixed_minor, rate_ppm=rate_ppm)
    rule_id, now = ids.uuid7(), clock.now()

    def work(session: Session) -> uuid.UUID:
        if match.tenant_id is not None and session.get(Tenant, match.tenant_id) is None:
            raise InvalidRequest("There is no tenant with this id.", field="tenant_id")
        # Two operators at once must not leave two rules for one match; readers are not held up.
        session.execute(text("LOCK TABLE fee_rules IN SHARE ROW EXCLUSIVE MODE"))
        same = [getattr(FeeRule, name).is_not_distinct_from(value) for name, value in asdict(match).items()]
        session.execute(delete(FeeRule).where(*same))
        session.add(
            FeeRule(id=rule_id, fixed_minor=fixed_minor, rate_ppm=rate_ppm, created_at=now, **asdict(match))
        )
        facts = {name: value for name, value in asdict(match).items() if value is not None}
        facts |= {"fixed_minor": fixed_minor, "rate_ppm": rate_ppm}
        if match.tenant_id:
            facts["tenant_id"] = str(match.tenant_id)
        outbox.record(
            session,
            EventType.FEE_RULE_SET,
            object_id=str(rule_id),
            data=facts,
            now=now,
            actor=operator,
            tenant_id=match.tenant_id,
            is_public=False,
        )
        return rule_id

    return transaction(work)


def remove_rule(rule_id: uuid.UUID, *, operator: Principal = SYSTEM) -> None:
    """Raises NotFound."""

    def work(session: Session) -> None:
        gone = session.execute(
            delete(FeeRule).where(FeeRule.id == rule_id).returning(FeeRule.tenant_id)
        ).one_or_none()
        if gone is None:
            raise NotFound("There is no fee rule with this id.")
        outbox.record(
            session,
            EventType.FEE_RULE_REMOVED,
            object_id=str(rule_id),
            data={},
            now=clock.now(),
            actor=operator,
            tenant_id=gone.tenant_id,
            is_public=False,
        )

    transaction(work)


def _require_sound(match: Match, *, fixed_minor: int, rate_ppm: int) -> None:
    if match.operation not in OPERATIONS or match.plan not in (None, *Plan):
        raise InvalidRequest(
            f"Operations are {', '.join(OPERATIONS)}; plans are {', '.join(Plan)}.", field="operation"
        )
    if match.provider is not None and match.provider not in PROVIDERS:
        raise InvalidRequest(f"Providers are {', '.join(PROVIDERS)}.", field="provider")
    if match.operation == "withdrawal":
        _require_payout(match)
    if match.currency is not None:
        exponent_of(match.currency)
    elif fixed_minor or match.from_minor or match.below_minor is not None:
        raise InvalidRequest("A rule with amounts needs a currency.", field="currency")
    if fixed_minor < 0 or not 0 <= rate_ppm <= MILLION or match.from_minor < 0:
        raise InvalidRequest("A fee is not negative, and a rate is at most 100 %.", field="rate")
    if match.below_minor is not None and match.below_minor <= match.from_minor:
        raise InvalidRequest("The band is empty: its end must be above its start.", field="below")


def _require_payout(match: Match) -> None:
    if match.provider is not None:
        raise InvalidRequest("A withdrawal has a method, not a provider.", field="provider")
    if match.method not in (None, *PayoutMethod):
        raise InvalidRequest(f"Methods are {', '.join(PayoutMethod)}.", field="method")

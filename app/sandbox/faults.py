"""Faults on demand: what goes wrong with one request, by a rule of /sandbox/control or by a magic amount."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from app.sandbox.control import Control
from app.sandbox.database import Database

CHARGES: Final = frozenset({"stkpush", "payment_intent", "session", "initialize", "order"})
PAYOUTS: Final = frozenset({"b2c", "b2b", "transfer"})

OUTCOMES: Final = frozenset(
    {"insufficient_funds", "cancelled", "timed_out", "declined", "wrong_pin", "duplicate", "busy", "locked"}
)
"""How a payment can end other than by success. A provider without such an outcome treats it as `declined`."""


@dataclass(frozen=True)
class Plan:
    """What to do to one request, and to the payment, refund or payout that it creates.

    delay_s: wait first. before: answer this HTTP status and do nothing. after: do it, then answer this status.
    drop: do it, then close the connection without an answer. callback_copies: 0 loses the callback. callback_early: it
    is delivered before the answer. callback_reorder: an older callback follows a newer one. wrong_amount: 1.00 more than
    was requested. outcome: how the payment ends; None for success.
    """

    delay_s: float = 0
    before: int | None = None
    after: int | None = None
    drop: bool = False
    rate_limited: bool = False
    token_expired: bool = False
    callback_copies: int = 1
    callback_delay_s: float | None = None
    callback_early: bool = False
    callback_reorder: bool = False
    wrong_amount: bool = False
    outcome: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The members that differ from a plan without faults, for storing in a document."""
        return {name: value for name, value in asdict(self).items() if value != getattr(NO_FAULT, name)}

    @classmethod
    def from_json(cls, members: Mapping[str, Any] | None) -> Plan:
        """The plan that `to_json` wrote."""
        return cls(**(members or {}))


NO_FAULT: Final = Plan()

MAGIC: Final[Mapping[Decimal, Plan]] = MappingProxyType(
    {
        Decimal(amount): plan
        for amount, plan in {
            7001: Plan(drop=True),
            7002: Plan(after=500),
            7003: Plan(before=500),
            7004: Plan(delay_s=10),
            7005: Plan(callback_copies=0),
            7006: Plan(callback_copies=3),
            7007: Plan(callback_early=True),
            7008: Plan(callback_delay_s=10),
            7009: Plan(wrong_amount=True),
            7010: Plan(rate_limited=True),
            7011: Plan(token_expired=True),
            7012: Plan(callback_reorder=True),
            7101: Plan(outcome="insufficient_funds"),
            7102: Plan(outcome="cancelled"),
            7103: Plan(outcome="timed_out"),
            7104: Plan(outcome="declined"),
        }.items()
    }
)
"""Amount of a charge or payout, in major units of any currency → its plan, the same at every provider."""

FAULTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Plan]]] = MappingProxyType(
    {
        "delay": lambda rule: Plan(delay_s=float(rule.get("seconds", 10))),
        "before": lambda rule: Plan(before=int(rule.get("status", 500))),
        "after": lambda rule: Plan(after=int(rule.get("status", 500))),
        "drop": lambda rule: Plan(drop=True),
        "rate_limit": lambda rule: Plan(rate_limited=True),
        "token_expired": lambda rule: Plan(token_expired=True),
        "callback_lost": lambda rule: Plan(callback_copies=0),
        "callback_copies": lambda rule: Plan(callback_copies=int(rule.get("copies", 3))),
        "callback_delay": lambda rule: Plan(callback_delay_s=float(rule.get("seconds", 10))),
        "callback_early": lambda rule: Plan(callback_early=True),
        "callback_reorder": lambda rule: Plan(callback_reorder=True),
        "wrong_amount": lambda rule: Plan(wrong_amount=True),
    }
)
"""Fault of a rule → the plan, made from the rule's numbers."""

_NUMBERS: Final = {"probability": (0, 1), "seconds": (0, 600), "status": (400, 599), "copies": (0, 50)}
_MEMBERS: Final = frozenset({"fault", "provider", "operation", "reference", "times", *_NUMBERS})


class RuleInvalid(ValueError):
    """A rule of /sandbox/control is not valid; the message says why."""


def checked_rule(rule: object) -> dict[str, Any]:
    """`rule` as it is stored. Raises RuleInvalid."""
    if not isinstance(rule, dict):
        raise RuleInvalid("A rule is an object.")
    if unknown := sorted(set(rule) - _MEMBERS):
        raise RuleInvalid(f"A rule has no member {unknown[0]!r}.")
    fault = rule.get("fault")
    if fault not in FAULTS and fault not in OUTCOMES:
        raise RuleInvalid(
            f"There is no fault {fault!r}: use one of {', '.join(sorted({*FAULTS, *OUTCOMES}))}."
        )
    for name, (least, most) in _NUMBERS.items():
        value = rule.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise RuleInvalid(f"{name} is a number from {least} to {most}.")
    times = rule.get("times", 1)
    if isinstance(times, bool) or not isinstance(times, int) or times < 0:
        raise RuleInvalid("times is a whole number; leave it out for always.")
    return dict(rule)


class Faults:
    """The rules in force, and the magic amounts."""

    def __init__(self, database: Database, control: Control) -> None:
        self._database = database
        self._control = control
        self._expired: set[tuple[str, str, str | None]] = set()

    def plan(
        self, provider: str, operation: str, *, amount: Decimal | None = None, reference: str | None = None
    ) -> Plan:
        """The plan of the first rule that matches; without one, of the amount, for charges and payouts only.

        This counts down the rule's `times`: call it once for each request.
        """
        # The database's lock is the only lock: threads that hold it call this, too.
        with self._database.transaction():
            rules: list[dict[str, Any]] = self._control.get("rules")
            for rule in rules:
                if _matches(rule, provider, operation, reference) and _happens(rule):
                    self._count_down(rules, rule)
                    return planned(rule)
            return self._by_amount(provider, operation, amount, reference)

    def _count_down(self, rules: list[dict[str, Any]], rule: dict[str, Any]) -> None:
        if "times" in rule:
            left = [dict(other, times=other["times"] - 1) if other is rule else other for other in rules]
            self._control.set("rules", left)

    def _by_amount(
        self, provider: str, operation: str, amount: Decimal | None, reference: str | None
    ) -> Plan:
        if amount is None or operation not in CHARGES | PAYOUTS:
            return NO_FAULT
        plan = MAGIC.get(amount, NO_FAULT)
        if plan.token_expired:
            # Every other time: the retry with a new token succeeds.
            self._expired ^= {(provider, operation, reference)}
            if (provider, operation, reference) not in self._expired:
                return NO_FAULT
        return plan


def planned(rule: Mapping[str, Any]) -> Plan:
    """The plan of a rule."""
    fault = rule["fault"]
    return FAULTS[fault](rule) if fault in FAULTS else Plan(outcome=fault)


def _matches(rule: Mapping[str, Any], provider: str, operation: str, reference: str | None) -> bool:
    wanted = rule.get("operation")
    return (
        rule.get("times", 1) > 0
        and rule.get("provider", provider) == provider
        and (operation in CHARGES if wanted is None else wanted == operation)
        and rule.get("reference", reference) == reference
    )


def _happens(rule: Mapping[str, Any]) -> bool:
    probability: float = rule.get("probability", 1)
    return random.random() < probability


def with_callback_faults(plan: Plan, callback_plan: Plan) -> Plan:
    """`plan`, changed by the rule for the operation `callback`."""
    if callback_plan == NO_FAULT:
        return plan
    copies = callback_plan.callback_copies if callback_plan.callback_copies != 1 else plan.callback_copies
    delay_s = callback_plan.callback_delay_s or callback_plan.delay_s or plan.callback_delay_s
    if callback_plan.drop:
        copies = 0
    return replace(plan, callback_copies=copies, callback_delay_s=delay_s)

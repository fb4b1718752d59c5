"""Faults on demand: what goes wrong with one request, by a rule of /sandbox/control or by its amount."""

from __future__ import annotations

import functools
import random
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from flask import Response, g, make_response, request

from app.sandbox.control import Control
from app.sandbox.database import Database

if TYPE_CHECKING:
    from app.sandbox.core import Sandbox

CHARGES: Final = frozenset({"stkpush", "payment_intent", "session", "initialize", "order"})
PAYOUTS: Final = frozenset({"b2c", "b2b", "transfer"})

FATES: Final = frozenset(
    {"insufficient_funds", "cancelled", "timed_out", "declined", "wrong_pin", "duplicate", "busy", "locked"}
)
"""Words a rule may use for what becomes of a payment. A provider that has no such end reads `declined`."""


@dataclass(frozen=True)
class Plan:
    """What to do to one request, and what follows from it.

    delay_s: wait first. before: answer this HTTP status and do nothing. after: do it, then answer this status.
    drop: do it, then close the socket without a byte. callback_copies: 0 is lost. callback_early: delivered before the
    answer. callback_reorder: older news after newer. wrong_amount: 1.00 more than was asked. fate: how the payment ends.
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
    fate: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What differs from a plan without faults: to be kept in a document."""
        return {name: value for name, value in asdict(self).items() if value != getattr(NO_FAULT, name)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Plan:
        """The plan that `to_json` wrote."""
        return cls(**(kept or {}))


NO_FAULT: Final = Plan()

MAGIC: Final[Mapping[Decimal, Plan]] = MappingProxyType({
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
        7101: Plan(fate="insufficient_funds"),
        7102: Plan(fate="cancelled"),
        7103: Plan(fate="timed_out"),
        7104: Plan(fate="declined"),
    }.items()
})  # fmt: skip
"""Amounts of charges and payouts in major units of any currency, with the same meaning at every provider."""


WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Plan]]] = MappingProxyType({
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
})  # fmt: skip
"""The fault words of a rule: each makes its plan from the rule's numbers."""

_NUMBERS: Final = {"probability": (0, 1), "seconds": (0, 600), "status": (400, 599), "copies": (0, 50)}
_MEMBERS: Final = frozenset({"fault", "provider", "operation", "reference", "times", *_NUMBERS})


class RuleInvalid(ValueError):
    """A rule of /sandbox/control that cannot be followed; the message says why."""


def checked_rule(rule: object) -> dict[str, Any]:
    """`rule` as it is kept. Raises RuleInvalid."""
    if not isinstance(rule, dict):
        raise RuleInvalid("A rule is an object.")
    if unknown := sorted(set(rule) - _MEMBERS):
        raise RuleInvalid(f"A rule has no member {unknown[0]!r}.")
    fault = rule.get("fault")
    if fault not in WORDS and fault not in FATES:
        raise RuleInvalid(f"There is no fault {fault!r}: use one of {', '.join(sorted({*WORDS, *FATES}))}.")
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
        """By the first rule that matches; without one by the amount, of charges and payouts alone.

        A rule's `times` counts down here, so ask once for a request.
        """
        # The database's lock is the only one: this is also asked by threads that hold it.
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
            # Every other time: the repetition with a fresh token goes through.
            self._expired ^= {(provider, operation, reference)}
            if (provider, operation, reference) not in self._expired:
                return NO_FAULT
        return plan


def planned(rule: Mapping[str, Any]) -> Plan:
    """The plan a rule asks for."""
    fault = rule["fault"]
    return WORDS[fault](rule) if fault in WORDS else Plan(fate=fault)


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


def with_callback_faults(plan: Plan, of_callback: Plan) -> Plan:
    """`plan`, changed by what a rule for the operation `callback` says about deliveries."""
    if of_callback == NO_FAULT:
        return plan
    copies = of_callback.callback_copies if of_callback.callback_copies != 1 else plan.callback_copies
    delay_s = of_callback.callback_delay_s or of_callback.delay_s or plan.callback_delay_s
    if of_callback.drop:
        copies = 0
    return replace(plan, callback_copies=copies, callback_delay_s=delay_s)


Answering = Callable[[], Response]
View = Callable[..., Any]


def faulty(
    sandbox: Sandbox,
    provider: str,
    operation: str,
    read: Callable[[], tuple[Decimal | None, str | None]],
    *,
    error: Callable[[int], Response],
    limited: Answering,
    expired: Answering,
) -> Callable[[View], View]:
    """A view that suffers what is planned for its request; the view finds the plan in `flask.g.plan`.

    read: amount (major units) and reference of the request, None where it has none; it must not fail.
    error, limited, expired: the provider's own answers for an HTTP status, too many requests, a token that expired.
    """

    def around(view: View) -> View:
        @functools.wraps(view)
        def suffering(*args: Any, **kwargs: Any) -> Any:
            amount, reference = read()
            plan = g.plan = sandbox.faults.plan(provider, operation, amount=amount, reference=reference)
            if plan.delay_s:
                time.sleep(plan.delay_s)
            if plan.token_expired:
                return expired()
            if plan.rate_limited:
                return limited()
            if plan.before is not None:
                return error(plan.before)
            answer = make_response(view(*args, **kwargs))
            if plan.drop:
                hang_up()
            return error(plan.after) if plan.after is not None else answer

        return suffering

    return around


def hang_up() -> None:
    """Close the connection of this request under the server's hands: not a byte of the answer arrives."""
    connection: socket.socket = request.environ["gunicorn.socket"]
    connection.shutdown(socket.SHUT_RDWR)

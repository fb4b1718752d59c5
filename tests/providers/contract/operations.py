"""Every operation of a provider as one call each, for what is to hold of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from app import clock
from app.providers.base import PayoutRequest, Provider, ProviderResult, RefundRequest, State
from tests.providers.contract.scenario import ContractScenario


def _first_payout(scenario: ContractScenario) -> PayoutRequest:
    method, currency = next(iter(scenario.case.destinations))
    return scenario.payout(method, currency)


def _refund(scenario: ContractScenario) -> RefundRequest:
    return scenario.refund_of(scenario.paid_once)


def _known(scenario: ContractScenario) -> ProviderResult:
    """As an answer that named the operation."""
    return ProviderResult(State.PENDING, provider_reference=scenario.paid_once.provider_reference or "known")


def _statement(scenario: ContractScenario, provider: Provider) -> Any:
    return provider.statement(clock.now() - timedelta(hours=1), clock.now())


CALLS: Final[Mapping[str, Callable[[ContractScenario, Provider], Any]]] = {
    "charge": lambda scenario, provider: provider.charge(scenario.request()),
    "inquire": lambda scenario, provider: provider.inquire(scenario.paid_once),
    "cancel": lambda scenario, provider: provider.cancel(scenario.open_once),
    "refund": lambda scenario, provider: provider.refund(_refund(scenario)),
    "inquire_refund": lambda scenario, provider: provider.inquire_refund(
        scenario.refund_reference(_refund(scenario), _known(scenario))
    ),
    "pay_out": lambda scenario, provider: provider.pay_out(_first_payout(scenario)),
    "inquire_payout": lambda scenario, provider: provider.inquire_payout(
        scenario.payout_reference(_first_payout(scenario), _known(scenario))
    ),
    "statement": _statement,
}

OPERATIONS: Final = tuple(CALLS)


def prepare(scenario: ContractScenario, operation: str) -> None:
    """What the operation needs first, so that `run` makes that call alone."""
    scenario.paid_once  # noqa: B018 made when first asked for
    if operation == "cancel":
        scenario.open_once  # noqa: B018


def run(scenario: ContractScenario, operation: str, provider: Provider) -> Any:
    prepare(scenario, operation)
    answer = CALLS[operation](scenario, provider)
    return scenario.checked(answer) if isinstance(answer, ProviderResult) else answer


def supports(scenario: ContractScenario, operation: str) -> bool:
    """Whether the capabilities declare it."""
    can = scenario.can
    return {
        "cancel": can.can_cancel,
        "refund": can.can_refund,
        "inquire_refund": can.can_refund,
        "pay_out": bool(can.payouts),
        "inquire_payout": bool(can.payouts),
        "statement": can.has_statement,
    }.get(operation, True)


def real(scenario: ContractScenario, operation: str) -> Callable[[Provider], Any]:
    """The call about something that is really there, so that the simulator's answer is a good one."""
    if operation == "inquire_refund":
        refund = scenario.refund_of(scenario.paid())
        result = scenario.checked(scenario.provider.refund(refund))
        return lambda provider: provider.inquire_refund(scenario.refund_reference(refund, result))
    if operation == "inquire_payout":
        payout = scenario.payout(*next(iter(scenario.case.destinations)))
        result = scenario.checked(scenario.provider.pay_out(payout))
        return lambda provider: provider.inquire_payout(scenario.payout_reference(payout, result))
    if operation == "refund":
        refund = scenario.refund_of(scenario.paid())
        return lambda provider: provider.refund(refund)
    if operation == "cancel":
        _, waiting = scenario.waiting()
        return lambda provider: provider.cancel(waiting)
    prepare(scenario, operation)
    return lambda provider: run(scenario, operation, provider)

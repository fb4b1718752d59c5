"""Every operation of a provider as one call each, for what is to hold of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from app import clock
from app.providers.base import PayoutRequest, Provider, RefundRequest, Result, State
from tests.providers.contract.scene import Scene


def _first_payout(scene: Scene) -> PayoutRequest:
    method, currency = next(iter(scene.case.destinations))
    return scene.payout(method, currency)


def _refund(scene: Scene) -> RefundRequest:
    return scene.refund_of(scene.paid_once)


def _known(scene: Scene) -> Result:
    """As an answer that named the operation."""
    return Result(State.PENDING, provider_reference=scene.paid_once.provider_reference or "known")


def _statement(scene: Scene, provider: Provider) -> Any:
    return provider.statement(clock.now() - timedelta(hours=1), clock.now())


CALLS: Final[Mapping[str, Callable[[Scene, Provider], Any]]] = {
    "charge": lambda scene, provider: provider.charge(scene.request()),
    "inquire": lambda scene, provider: provider.inquire(scene.paid_once),
    "cancel": lambda scene, provider: provider.cancel(scene.open_once),
    "refund": lambda scene, provider: provider.refund(_refund(scene)),
    "inquire_refund": lambda scene, provider: provider.inquire_refund(
        scene.refund_reference(_refund(scene), _known(scene))
    ),
    "pay_out": lambda scene, provider: provider.pay_out(_first_payout(scene)),
    "inquire_payout": lambda scene, provider: provider.inquire_payout(
        scene.payout_reference(_first_payout(scene), _known(scene))
    ),
    "statement": _statement,
}

OPERATIONS: Final = tuple(CALLS)


def prepare(scene: Scene, operation: str) -> None:
    """What the operation needs first, so that `run` makes that call alone."""
    scene.paid_once  # noqa: B018 made when first asked for
    if operation == "cancel":
        scene.open_once  # noqa: B018


def run(scene: Scene, operation: str, provider: Provider) -> Any:
    prepare(scene, operation)
    answer = CALLS[operation](scene, provider)
    return scene.checked(answer) if isinstance(answer, Result) else answer


def supports(scene: Scene, operation: str) -> bool:
    """Whether the capabilities declare it."""
    can = scene.can
    return {
        "cancel": can.can_cancel,
        "refund": can.can_refund,
        "inquire_refund": can.can_refund,
        "pay_out": bool(can.payouts),
        "inquire_payout": bool(can.payouts),
        "statement": can.has_statement,
    }.get(operation, True)


def real(scene: Scene, operation: str) -> Callable[[Provider], Any]:
    """The call about something that is really there, so that the simulator's answer is a good one."""
    if operation == "inquire_refund":
        refund = scene.refund_of(scene.paid())
        told = scene.checked(scene.provider.refund(refund))
        return lambda provider: provider.inquire_refund(scene.refund_handle(refund, told))
    if operation == "inquire_payout":
        payout = scene.payout(*next(iter(scene.case.destinations)))
        told = scene.checked(scene.provider.pay_out(payout))
        return lambda provider: provider.inquire_payout(scene.payout_handle(payout, told))
    if operation == "refund":
        refund = scene.refund_of(scene.paid())
        return lambda provider: provider.refund(refund)
    if operation == "cancel":
        _, waiting = scene.waiting()
        return lambda provider: provider.cancel(waiting)
    prepare(scene, operation)
    return lambda provider: run(scene, operation, provider)

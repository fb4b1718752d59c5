"""An adapter, the simulator it calls, and the receiver of its callbacks, for tests over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from app import clock, ids
from app.money import Money
from app.providers.base import (
    Callback,
    CallbackEvent,
    ChargeReference,
    ChargeRequest,
    Customer,
    PayoutMethod,
    PayoutReference,
    PayoutRequest,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
)
from tests.support.providers import make_provider
from tests.support.sandbox import CallbackReceiver
from tests.support.sandbox_parts import ServedSandbox, listened_sandbox

P = TypeVar("P", bound=Provider)


@dataclass
class SimulatedProvider(Generic[P]):
    """`url`: what adapters on this simulator have as their base URL."""

    sandbox: ServedSandbox
    receiver: CallbackReceiver
    provider: P

    @property
    def url(self) -> str:
        return self.provider.account.base_url

    def request(self, amount: str, currency: str, **customer: str) -> ChargeRequest:
        return ChargeRequest(
            str(ids.uuid7()),
            "A1B2C3",
            Money.parse(amount, currency),
            Customer(**customer),
            f"{self.receiver.url}/charge/secret",
            f"{self.receiver.url}/back",
            description="Two shirts",
        )

    def charge_reference(self, request: ChargeRequest, receipt: str | None = None) -> ChargeReference:
        return ChargeReference(
            request.reference, request.short_reference, request.amount, clock.now(), receipt=receipt
        )

    def until(self, request: ChargeRequest, state: State) -> ProviderResult:
        return self._reached(lambda: self.provider.inquire(self.charge_reference(request)), state)

    def until_a_try_fails(self, request: ChargeRequest) -> ProviderResult:
        def look() -> ProviderResult | None:
            result = self.provider.inquire(self.charge_reference(request))
            return result if result.has_failed_try else None

        return self.sandbox.until(look, "a try has failed")

    def paid(self, request: ChargeRequest) -> ChargeReference:
        """The request, asked for and paid."""
        self.provider.charge(request)
        return self.charge_reference(request, self.until(request, State.SUCCEEDED).receipt)

    def refund_until(self, charge_reference: RefundReference, state: State) -> ProviderResult:
        return self._reached(lambda: self.provider.inquire_refund(charge_reference), state)

    def payout_until(self, request: PayoutRequest, state: State) -> ProviderResult:
        return self._reached(lambda: self.provider.inquire_payout(payout_reference(request)), state)

    def _reached(self, ask: Callable[[], ProviderResult], state: State) -> ProviderResult:
        def look() -> ProviderResult | None:
            result = ask()
            return result if result.state is state else None

        return self.sandbox.until(look, f"it is {state}")

    def events(self, name: str, reference: str) -> list[CallbackEvent]:
        """The webhooks of this name about `reference`, as the adapter reads them."""
        read = [
            self.provider.read_callback(Callback(one.method, one.headers, {}, one.body))
            for one in self.receiver.of(f"/hooks/{self.provider.name}")
        ]
        return [event for event in read if event.event_type == name and event.reference == reference]

    def event(self, name: str, reference: str) -> CallbackEvent:
        return self.sandbox.until(lambda: self.events(name, reference), f"the webhook {name} comes")[0]

    def book_amounts(self, reference: str) -> list[tuple[str, str]]:
        """(kind, amount) of what really moved."""
        entries = self.sandbox.book(self.provider.name, reference)["entries"]
        return [(entry["kind"], entry["amount"]) for entry in entries]

    def rule(self, operation: str, fault: str, **more: object) -> None:
        new_rule = {"provider": self.provider.name, "operation": operation, "fault": fault, **more}
        self.sandbox.control({"rules": [new_rule]})


@contextmanager
def simulated_provider(folder: Path, cls: type[P], **settings: str) -> Iterator[SimulatedProvider[P]]:
    """The adapter `cls` on a simulator of its own, whose customers pay after a tenth of a second."""
    with listened_sandbox(folder, autopay_s=0.1) as (sandbox, receiver):
        url = f"{sandbox.url}/{cls.name}{cls.simulator_path}"
        yield SimulatedProvider(sandbox, receiver, make_provider(cls, url, timeout_s=30, **settings))


def refund_of(charge: ChargeReference, amount: str, number: int = 0) -> RefundRequest:
    money = Money.parse(amount, charge.amount.currency)
    return RefundRequest(f"{charge.reference}-r{number}", money, charge, "Too blue", "")


def refund_reference(request: RefundRequest, provider_reference: str | None) -> RefundReference:
    return RefundReference(request.reference, request.amount, request.charge, clock.now(), provider_reference)


def payout(method: PayoutMethod, amount: str, currency: str, **destination: str) -> PayoutRequest:
    return PayoutRequest(str(ids.uuid7()), Money.parse(amount, currency), method, destination)


def payout_reference(request: PayoutRequest) -> PayoutReference:
    return PayoutReference(request.reference, request.amount, request.method, clock.now())

"""One contract case with its adapter: what is asked of it, and what the provider recorded of it.

Every result and every error is checked here: it must be JSON-safe and hold no secret of the account.
"""

from __future__ import annotations

import json
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

from app import clock, ids
from app.money import Money, exponent_of
from app.providers.base import (
    Account,
    Capabilities,
    ChargeReference,
    ChargeRequest,
    Context,
    Kind,
    PayoutMethod,
    PayoutReference,
    PayoutRequest,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.errors import DuplicateReference, OutcomeUnknown, ProviderError
from tests.providers.contract.case import ContractCase
from tests.providers.contract.environment import ContractEnvironment
from tests.providers.contract.fault_proxy import ReceivedCallback
from tests.support.providers import MemoryTokens, Observed
from tests.support.waiting import wait_until

T = TypeVar("T")

UNREACHABLE = "http://127.0.0.1:9"
"""An address where nothing listens."""


@dataclass
class ContractScenario:
    """One case. `provider` is its adapter on the account the simulator accepts."""

    case: ContractCase
    environment: ContractEnvironment
    tokens: MemoryTokens = field(default_factory=MemoryTokens)
    observed: Observed = field(default_factory=Observed)

    def make(
        self,
        *,
        base_url: str | None = None,
        timeout_s: float = 10.0,
        connect_timeout_s: float = 2.0,
        tokens: MemoryTokens | None = None,
        environment: str = "sandbox",
        **settings: str,
    ) -> Provider:
        """The adapter; settings: those that differ."""
        adapter = self.case.provider
        url = base_url or f"{self.environment.fault_proxy.url}/{adapter.name}{adapter.simulator_path}"
        values = dict(self.case.settings) | settings
        context = Context(
            tokens=self.tokens if tokens is None else tokens,
            observe=self.observed,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
        )
        return adapter(Account(f"contract-{self.case.id}", environment, url, values), context)

    @cached_property
    def provider(self) -> Provider:
        return self.make()

    @property
    def can(self) -> Capabilities:
        return self.provider.capabilities

    # --- what is asked for

    def url(self) -> str:
        return f"{self.environment.inbox.url}/hooks/{self.case.name}/{uuid.uuid4().hex}"

    def amount(self, major: str | None = None, currency: str | None = None) -> Money:
        """An amount nothing special happens at."""
        code = currency or self.case.currency
        is_whole = self.can.whole_units or not exponent_of(code)
        return Money.parse(major or ("1230" if is_whole else "1230.50"), code)

    def request(self, amount: Money | None = None) -> ChargeRequest:
        return ChargeRequest(
            str(ids.uuid7()),
            uuid.uuid4().hex[:12].upper(),
            amount or self.amount(),
            self.case.customer,
            self.url(),
            f"{self.environment.inbox.url}/done",
            "Two chairs",
            self.case.metadata,
        )

    def charge_reference(
        self, request: ChargeRequest, reported: ProviderResult | None = None
    ) -> ChargeReference:
        """The charge reference the gateway keeps; without `result`, after a lost answer."""
        return ChargeReference(
            request.reference,
            request.short_reference,
            request.amount,
            clock.now(),
            reported.provider_reference if reported else None,
            reported.receipt if reported else None,
            request.callback_url,
        )

    def refund_of(
        self, charge: ChargeReference, amount: Money | None = None, *, before: int = 0
    ) -> RefundRequest:
        return RefundRequest(
            str(ids.uuid7()), amount or charge.amount, charge, "Returned", self.url(), refunded_before=before
        )

    def refund_reference(
        self, request: RefundRequest, reported: ProviderResult | None = None
    ) -> RefundReference:
        return RefundReference(
            request.reference,
            request.amount,
            request.charge,
            clock.now(),
            reported.provider_reference if reported else None,
            request.refunded_before,
            request.callback_url,
        )

    def payout(self, method: PayoutMethod, currency: str) -> PayoutRequest:
        return PayoutRequest(
            str(ids.uuid7()),
            self.amount("2000", currency),
            method,
            self.case.destinations[method, currency],
            self.url(),
        )

    def payout_reference(
        self, request: PayoutRequest, reported: ProviderResult | None = None
    ) -> PayoutReference:
        return PayoutReference(
            request.reference,
            request.amount,
            request.method,
            clock.now(),
            reported.provider_reference if reported else None,
            request.callback_url,
        )

    # --- faults

    def fault(self, operation: str, fault: str, **more: object) -> None:
        """The simulator's next `operation` suffers this."""
        word = self.case.operations[operation]
        rule = {"provider": self.case.name, "operation": word, "fault": fault, "times": 1, **more}
        self.environment.sandbox.control({"rules": [rule]})

    def charge_that(self, fault: str, **more: object) -> ChargeRequest:
        """A charge that suffers this: by a rule of the simulator, or by the amount."""
        if self.case.is_remote:
            self.fault("charge", fault, **more)
            return self.request()
        return self.request(self.amount(self.case.amounts[fault]))

    # --- what is checked always

    def checked(self, result: ProviderResult) -> ProviderResult:
        self.must_be_clean(result.response)
        assert result.code is None or isinstance(result.code, str)
        assert result.state not in (State.SUCCEEDED, State.PENDING) or result.code is None or result.message
        return result

    def must_be_clean(self, reported: Mapping[str, Any]) -> None:
        """JSON-safe, not endless, and no secret in it."""
        text = json.dumps(dict(reported), allow_nan=False)
        assert json.loads(text) == dict(reported)
        assert len(text) < 10_000
        self.must_hide_secrets(text)

    def secrets(self) -> list[str]:
        """Of the account, and the tokens got with them."""
        named = [self.provider.account[one.name] for one in self.case.provider.settings if one.is_secret]
        tokens = [token for token, _ in self.tokens._kept.values()]
        return [secret for secret in named + tokens if len(secret) > 5]

    def must_hide_secrets(self, text: str) -> None:
        # Ids of notification addresses are in the token store, too, and are none.
        shown = [one for one in self.secrets() if one in text]
        assert not shown, f"a secret is shown in: {text.replace(shown[0], '<the secret>')[:300]}"

    @contextmanager
    def refused(self, *errors: type[ProviderError]) -> Iterator[list[ProviderError]]:
        """The block raises exactly one of these, or a kind of it; what it says is checked. OutcomeUnknown passes for a
        refusal nowhere, and a refusal nowhere for OutcomeUnknown."""
        caught: list[ProviderError] = []
        try:
            yield caught
        except ProviderError as error:
            assert isinstance(error, errors), f"{type(error).__name__}({error.code}), not {errors}"
            self.must_be_clean(error.response)
            assert error.code
            assert error.message == str(error)
            assert error.message.endswith((".", "!", "?")) or error.response, (
                "a sentence, or the provider's own words"
            )
            self.must_hide_secrets("".join(traceback.format_exception(error)) + repr(error))
            caught.append(error)
            return
        raise AssertionError(f"none of {[error.__name__ for error in errors]} was raised")

    # --- what happens

    def charge(self, request: ChargeRequest, provider: Provider | None = None) -> ProviderResult:
        return self.checked((provider or self.provider).charge(request))

    def inquire(self, charge: ChargeReference, provider: Provider | None = None) -> ProviderResult:
        return self.checked((provider or self.provider).inquire(charge))

    def becomes(self, charge: ChargeReference, *states: State) -> ProviderResult:
        """Inquire until one of the states is reported."""
        return wait_until(
            lambda: (found := self.inquire(charge)).state in states and found, f"the charge is {states}"
        )

    def repeat(self, work: Callable[[], ProviderResult]) -> ProviderResult | None:
        """The same again: an equal answer, or that the reference is known (None)."""
        try:
            return self.checked(work())
        except DuplicateReference as error:
            self.must_be_clean(error.response)
            return None

    def paid(self, amount: Money | None = None) -> ChargeReference:
        """A charge that was paid, with its receipt."""
        request = self.request(amount)
        reported = self.charge(request)
        done = (
            reported
            if reported.state is State.SUCCEEDED
            else self.becomes(self.charge_reference(request, reported), State.SUCCEEDED)
        )
        if done.receipt is None:
            reported = self.event(request.callback_url, Kind.PAYMENT, request.reference).reported
            assert reported is not None
            done = reported
        assert done.receipt
        assert done.amount in (None, request.amount)
        return ChargeReference(
            request.reference,
            request.short_reference,
            request.amount,
            clock.now(),
            done.provider_reference,
            done.receipt,
            request.callback_url,
        )

    @cached_property
    def paid_once(self) -> ChargeReference:
        """A paid charge for tests that change nothing."""
        return self.paid()

    @cached_property
    def open_once(self) -> ChargeReference:
        """A charge whose customer does not answer, for tests to which it does not matter whether it was cancelled."""
        return self.waiting()[1]

    def waiting(self) -> tuple[ChargeRequest, ChargeReference]:
        """A charge whose customer does not answer."""
        request = self.charge_that("timed_out")
        return request, self.charge_reference(request, self.charge(request))

    def refund_ends(self, request: RefundRequest, reported: ProviderResult | None) -> ProviderResult:
        """What became of a refund, by asking or by its callback."""
        if Kind.REFUND in self.can.inquiry_kinds:
            charge_reference = self.refund_reference(request, reported)

            def asked() -> ProviderResult | None:
                try:
                    found = self.checked(self.provider.inquire_refund(charge_reference))
                except OutcomeUnknown:
                    return None  # not known yet
                return None if found.state is State.PENDING else found

            return self.environment.until(asked, "the refund ends")
        reported = self.event(request.callback_url, Kind.REFUND).reported
        assert reported is not None
        return self.checked(reported)

    def payout_ends(self, request: PayoutRequest, reported: ProviderResult | None) -> ProviderResult:
        if Kind.PAYOUT in self.can.inquiry_kinds:
            charge_reference = self.payout_reference(request, reported)

            def asked() -> ProviderResult | None:
                found = self.checked(self.provider.inquire_payout(charge_reference))
                return None if found.state is State.PENDING else found

            return self.environment.until(asked, "the payout ends")
        reported = self.event(request.callback_url, Kind.PAYOUT).reported
        assert reported is not None
        return self.checked(reported)

    # --- callbacks

    def received_callbacks(self, url: str, kind: Kind, *references: str | None) -> list[ReceivedCallback]:
        """Callbacks of this kind that came to this URL or name one of these references."""
        token = url.rpartition("/")[2]
        known = {reference for reference in references if reference}
        return [
            one
            for one in list(self.environment.inbox.received)
            if one.event.kind is kind
            and one.path.startswith(f"/hooks/{self.case.name}")
            and (token in one.path or {one.event.reference, one.event.provider_reference} & known)
        ]

    def callback(self, url: str, kind: Kind, *references: str | None) -> ReceivedCallback:
        """The first of them, preferably one that reports a state. About a refund or a payout: the first that reports
        the final state, since a callback about the open state may come before."""

        def best() -> ReceivedCallback | None:
            found = self.received_callbacks(url, kind, *references)
            reporting = [one for one in found if one.event.reported]
            if kind is Kind.PAYMENT:
                return next(iter(reporting + found), None)
            return next((one for one in reporting if one.event.reported.state is not State.PENDING), None)

        what = f"a callback about the {kind} comes"
        return wait_until(best, what) if kind is Kind.PAYMENT else self.environment.until(best, what)

    def event(self, url: str, kind: Kind, *references: str | None) -> Any:
        return self.callback(url, kind, *references).event

    def quiet(self) -> None:
        """Until the simulators have done and sent what they meant to by now."""

        def is_quiet() -> bool:
            return self.environment.sandbox.due(within_s=1)[1] == 0

        self.environment.until(is_quiet, "the simulators are quiet")

    # --- the provider's own book

    def recorded(self, kind: str, *references: str) -> list[Decimal]:
        """What the provider really moved under these references, in major units."""
        entries = self.environment.sandbox.book(self.case.name)["entries"]
        return [
            Decimal(entry["amount"])
            for entry in entries
            if entry["kind"] == kind and entry["reference"] in references
        ]

    def must_have_charged(self, request: ChargeRequest, *amounts: Money) -> None:
        """Exactly these, once the simulators are quiet. A provider that keeps nothing is asked by an inquiry."""
        if not self.case.is_remote:
            found = self.inquire(self.charge_reference(request))
            assert [found.amount] * (found.state is State.SUCCEEDED) == list(amounts)
            return
        self.quiet()
        assert self.recorded("charge", request.reference, request.short_reference) == [
            major(one) for one in amounts
        ]

    def must_have_refunded(self, refunds: list[RefundRequest], *amounts: Money) -> None:
        if self.case.is_remote:
            self.quiet()
            charge = refunds[0].charge
            references = {charge.reference, charge.short_reference} | {one.reference for one in refunds}
            assert sorted(self.recorded("refund", *references)) == sorted(major(one) for one in amounts)

    def must_have_paid_out(self, request: PayoutRequest, *amounts: Money) -> None:
        self.quiet()
        short = request.reference.replace("-", "")[-12:]
        assert self.recorded("payout", request.reference, short) == [major(one) for one in amounts]


def major(amount: Money) -> Decimal:
    return Decimal(amount.amount_minor).scaleb(-exponent_of(amount.currency))

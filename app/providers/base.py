"""What the gateway asks of a provider: the class every adapter extends, and what surrounds each of its calls.

An adapter is one folder with one `Provider` subclass; the registry (`app/providers/__init__.py`) names it in one line.
Adapters know no Flask, no database and no tenant: they get an `Account` (credentials) and `Context`, take frozen
dataclasses (values.py) and return a `ProviderResult` or raise a `ProviderError` (errors.py). The public methods here measure,
log and guard every call; adapters write the ones with an underscore.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, TypeVar

import structlog

from app import held_connections
from app.errors import InvalidAmount, InvalidRequest
from app.money import Money, exponent_of
from app.providers import deadline
from app.providers.disputes import DisputeStatus, ReportedDispute
from app.providers.environments import (
    BASE_URL,
    Contradiction,
    ContradictoryAccount,
    contradiction,
    is_of_another,
)
from app.providers.errors import NotSupported, ProviderError, RequestRejected
from app.providers.failures import FailureTable
from app.providers.replies import question
from app.providers.saved_methods import SavedMethod
from app.providers.settings import Account, AccountSetting, complete
from app.providers.values import (
    NO_FACTS,
    NOT_FINAL,
    QUESTION,
    Acknowledgement,
    Callback,
    CallbackEvent,
    CallRecord,
    Capabilities,
    ChargeReference,
    ChargeRequest,
    Context,
    Customer,
    FailureCode,
    FreshToken,
    Kind,
    Limits,
    ListedRefund,
    PayoutMethod,
    PayoutReference,
    PayoutRequest,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
    StatementLine,
    TokenStore,
)

__all__ = [
    "NOT_FINAL",
    "NO_FACTS",
    "QUESTION",
    "Account",
    "AccountSetting",
    "Acknowledgement",
    "CallRecord",
    "Callback",
    "CallbackEvent",
    "Capabilities",
    "ChargeReference",
    "ChargeRequest",
    "Context",
    "Customer",
    "DisputeStatus",
    "FailureCode",
    "FailureTable",
    "FreshToken",
    "Kind",
    "Limits",
    "ListedRefund",
    "PayoutMethod",
    "PayoutReference",
    "PayoutRequest",
    "Provider",
    "ProviderResult",
    "RefundReference",
    "RefundRequest",
    "ReportedDispute",
    "SavedMethod",
    "State",
    "StatementLine",
    "TokenStore",
]

T = TypeVar("T")

log = structlog.get_logger("providers")


class Provider(ABC):
    """One provider, on one account. Instances are shared by threads and live as long as the account."""

    name: ClassVar[str]
    title: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other words that payments and callback URLs may name the provider by."""
    capabilities: ClassVar[Capabilities]
    failures: ClassVar[FailureTable] = FailureTable()
    """What its codes mean in the gateway's own."""
    settings: ClassVar[tuple[AccountSetting, ...]]
    saved_method: ClassVar[SavedMethod | None] = None
    """None: customers cannot save how they pay there."""
    base_urls: ClassVar[Mapping[str, str]]
    """environment (`live`, `sandbox`) → base URL."""
    is_in_process: ClassVar[bool] = False
    """It answers in this process and keeps nothing: a charge has happened when its outcome is stored, and not before."""
    callback_headers: ClassVar[frozenset[str]]
    """Names, in lower case, of the headers that `read_callback` reads: they are stored with a callback, others are not."""
    simulator_path: ClassVar[str] = ""
    """What follows `/<name>` in the simulator's base URL, where the live base URL has a path, too."""

    def __init__(self, account: Account, context: Context) -> None:
        """Raises ValueError for a setting that cannot be read; ContradictoryAccount, a ValueError, for test credentials on
        a live account, or the other way round."""
        values = complete(self.settings, account.values, provider=self.title)
        found = self.contradiction(account.environment, values, account.base_url)
        if found is not None:
            raise ContradictoryAccount(found, account.environment)
        self.account = replace(account, values=values)
        self.context = context

    @classmethod
    def contradiction(
        cls, environment: str, values: Mapping[str, str], base_url: str
    ) -> Contradiction | None:
        """The first setting, or the address, that contradicts the environment; None: as far as they show it, they agree."""
        found = contradiction(cls.settings, environment, values)
        if found is None and is_of_another(cls.base_urls, environment, base_url):
            return Contradiction(BASE_URL, f"is {cls.title}'s address for the other environment")
        return found

    @classmethod
    def read_method(cls, details: Mapping[str, object]) -> dict[str, str]:
        """A method's details as they are saved. Raises InvalidRequest: the provider saves no methods, a detail is missing,
        unknown or not written as it should be."""
        return cls._normal_method(cls.require_saved_method().read(details, title=cls.title))

    @classmethod
    def require_saved_method(cls) -> SavedMethod:
        """Raises InvalidRequest: the provider saves no methods."""
        if cls.saved_method is None:
            raise InvalidRequest(f"{cls.title} saves no payment methods.", field="provider")
        return cls.saved_method

    @classmethod
    def _normal_method(cls, details: dict[str, str]) -> dict[str, str]:
        """The details in the provider's own spelling. Raises InvalidRequest."""
        return details

    @classmethod
    def payer(cls, customer: Customer, details: Mapping[str, str]) -> Customer:
        """The customer as a saved method with these details is charged."""
        return customer

    @classmethod
    def method_id(cls, details: Mapping[str, str]) -> str:
        """What the API calls a saved method with these details: saving it again replaces it."""
        parts = cls.require_saved_method().id_parts
        return "_".join([cls.name, *(details[part] for part in parts if part in details)])

    # --- what services call

    def check(self, amount: Money, customer: Customer) -> None:
        """Whether a charge could be asked for at all, before anything is stored or sent.

        Raises RequestRejected, or app.errors.InvalidAmount, with a sentence for the caller.
        """
        self.check_amount(amount)
        for need in sorted(self.capabilities.needs):
            if not getattr(customer, need):
                raise RequestRejected(f"{self.title} needs the customer's {need}.", code=need)
        self._check(amount, customer)

    def check_amount(self, amount: Money) -> None:
        """Whether the provider takes this amount of this currency at all. Raises as `check`."""
        limits = self.capabilities.currencies.get(amount.currency)
        if limits is None:
            raise RequestRejected(f"{self.title} does not take {amount.currency}.", code="currency")
        if self.capabilities.whole_units and amount.amount_minor % 10 ** exponent_of(amount.currency):
            raise InvalidAmount(f"{self.title} takes whole {amount.currency} only.", field="amount")
        if amount.amount_minor < limits.minimum:
            least = Money(limits.minimum, amount.currency)
            raise InvalidAmount(f"{self.title} takes {least} {amount.currency} or more.", field="amount")
        if limits.maximum is not None and amount.amount_minor > limits.maximum:
            most = Money(limits.maximum, amount.currency)
            raise InvalidAmount(f"{self.title} takes at most {most} {amount.currency}.", field="amount")
        self._check_amount(amount)

    def check_payout(self, request: PayoutRequest) -> None:
        """Whether this could be paid out at all, before anything is stored or sent.

        Raises RequestRejected, or app.errors.InvalidAmount, with a sentence for the caller.
        """
        currencies = self.capabilities.payouts.get(request.method, frozenset())
        if request.amount.currency not in currencies:
            raise RequestRejected(
                f"{self.title} does not pay out {request.amount.currency} by {request.method.value}.",
                code="method",
            )
        exponent = exponent_of(request.amount.currency)
        if self.capabilities.whole_units and request.amount.amount_minor % 10**exponent:
            raise InvalidAmount(
                f"{self.title} pays out whole {request.amount.currency} only.", field="amount"
            )
        self._check_payout(request)

    def charge(self, request: ChargeRequest) -> ProviderResult:
        """Ask for the money. PENDING: the customer acts next; SUCCEEDED: it is ours. Raises ProviderError."""
        return self._call("charge", lambda: self._charge(request))

    def inquire(self, charge: ChargeReference) -> ProviderResult:
        """Where the charge stands. Raises ProviderError; OutcomeUnknown when it could not be learnt."""
        return self._question("inquire", lambda: self._inquire(charge))

    def method_paid_with(self, charge: ChargeReference, customer: Customer) -> Mapping[str, str] | None:
        """The details of the method that paid the charge, to be saved; None: it cannot be used again, or the provider saves none.
        Raises ProviderError; OutcomeUnknown when it could not be learnt."""
        return self._question("method_paid_with", lambda: self._method_paid_with(charge, customer))

    def cancel(self, charge: ChargeReference) -> ProviderResult:
        """Cancel a charge the customer has not paid. Raises ProviderError; the state shows whether it was in time."""
        return self._call("cancel", lambda: self._cancel(charge))

    def refund(self, request: RefundRequest) -> ProviderResult:
        """Refund a charge, or a part. PENDING: the outcome is reported later. Raises ProviderError."""
        return self._call("refund", lambda: self._refund(request))

    def inquire_refund(self, refund: RefundReference) -> ProviderResult:
        """Where the refund stands; PENDING with the answer to come by callback where REFUND is not in `inquiry_kinds`."""
        return self._question("inquire_refund", lambda: self._inquire_refund(refund))

    def refunds_of(self, charge: ChargeReference) -> Sequence[ListedRefund]:
        """Every refund of a charge, where `lists_refunds`. Raises ProviderError; OutcomeUnknown when there may be more."""
        return self._question("refunds_of", lambda: self._refunds_of(charge))

    def inquire_dispute(self, charge: ChargeReference, dispute: str) -> ReportedDispute:
        """Where the dispute of the charge with this id of the provider's stands, where DISPUTE is in `inquiry_kinds`.
        Raises ProviderError."""
        return self._question("inquire_dispute", lambda: self._inquire_dispute(charge, dispute))

    def pay_out(self, request: PayoutRequest) -> ProviderResult:
        """Send money out. PENDING: the outcome is reported later. Raises ProviderError."""
        return self._call("pay_out", lambda: self._pay_out(request))

    def inquire_payout(self, payout: PayoutReference) -> ProviderResult:
        """Where the payout stands; as `inquire_refund`."""
        return self._question("inquire_payout", lambda: self._inquire_payout(payout))

    def statement(self, start: datetime, end: datetime) -> Sequence[StatementLine]:
        """What was collected from `start` to `end`, where `has_statement`. Raises ProviderError."""
        return self._question("statement", lambda: self._statement(start, end))

    @abstractmethod
    def read_callback(self, callback: Callback) -> CallbackEvent:
        """Verify and parse. No network. Raises ForgedCallback, InvalidCallback."""

    def acknowledge(self, event: CallbackEvent) -> Acknowledgement:
        """The answer to a callback that is stored."""
        return Acknowledgement()

    # --- what adapters write; every one may raise ProviderError

    def _check(self, amount: Money, customer: Customer) -> None:  # noqa: B027 most need no more rules
        """More rules than `capabilities` can say. No network."""

    def _check_amount(self, amount: Money) -> None:  # noqa: B027 as above
        """More rules of amounts than `capabilities` can say. No network."""

    def _check_payout(self, request: PayoutRequest) -> None:  # noqa: B027 as above
        """More rules of payouts. No network."""

    @abstractmethod
    def _charge(self, request: ChargeRequest) -> ProviderResult: ...

    @abstractmethod
    def _inquire(self, charge: ChargeReference) -> ProviderResult: ...

    def _method_paid_with(self, charge: ChargeReference, customer: Customer) -> Mapping[str, str] | None:
        return None

    def _cancel(self, charge: ChargeReference) -> ProviderResult:
        raise NotSupported(f"{self.title} cannot cancel a payment.")

    def _refund(self, request: RefundRequest) -> ProviderResult:
        raise NotSupported(f"{self.title} cannot refund.")

    def _inquire_refund(self, refund: RefundReference) -> ProviderResult:
        raise NotSupported(f"{self.title} cannot be asked about refunds.")

    def _refunds_of(self, charge: ChargeReference) -> Sequence[ListedRefund]:
        raise NotSupported(f"{self.title} does not list refunds.")

    def _inquire_dispute(self, charge: ChargeReference, dispute: str) -> ReportedDispute:
        raise NotSupported(f"{self.title} cannot be asked about disputes.")

    def _pay_out(self, request: PayoutRequest) -> ProviderResult:
        raise NotSupported(f"{self.title} cannot pay out.")

    def _inquire_payout(self, payout: PayoutReference) -> ProviderResult:
        raise NotSupported(f"{self.title} cannot be asked about payouts.")

    def _statement(self, start: datetime, end: datetime) -> Sequence[StatementLine]:
        raise NotSupported(f"{self.title} has no statement.")

    # --- around every call

    def _question(self, operation: str, work: Callable[[], T]) -> T:
        def asked() -> T:
            with question():
                return work()

        return self._call(operation, asked)

    def _ask(self, charge: ChargeReference) -> ProviderResult:
        """Where the charge stands, as a part of another operation. Raises OutcomeUnknown for a refused question."""
        with question():
            return self._inquire(charge)

    def _call(self, operation: str, work: Callable[[], T]) -> T:
        held_connections.require_none(f"{self.name}.{operation}")
        began, outcome = time.monotonic(), "error"
        limit_s = self.context.timeout_s + self.context.connect_timeout_s
        try:
            with deadline.within(limit_s):
                answer = work()
            outcome = answer.state.value if isinstance(answer, ProviderResult) else "ok"
            return answer
        except ProviderError as error:
            outcome = error.outcome
            log.warning(
                "provider.refused",
                provider=self.name,
                account=self.account.id,
                operation=operation,
                outcome=outcome,
                code=error.code,
            )
            raise
        finally:
            duration = time.monotonic() - began
            self.context.observe(CallRecord(self.name, operation, outcome, duration))
            log.info(
                "provider.called",
                provider=self.name,
                account=self.account.id,
                operation=operation,
                outcome=outcome,
                ms=round(duration * 1000),
            )

"""CPay as the gateway sees it: a provider without a network. Each answer is a function of the request, so it needs no
memory: ids are made from references, and what became of a charge follows from its amount and its ids.
"""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Final

from app.money import EXPONENTS, Money, exponent_of
from app.providers.base import (
    AccountSetting,
    Callback,
    CallbackEvent,
    Capabilities,
    ChargeReference,
    ChargeRequest,
    Kind,
    Limits,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.cpay import callbacks
from app.providers.cpay.failures import FAILURES
from app.providers.cpay.identities import Mark, identity
from app.providers.cpay.triggers import MESSAGES, Fate, fate_of_charge, fate_of_refund
from app.providers.errors import (
    OTHER_ID,
    AuthFailed,
    Declined,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)

REFUSALS: Final[MappingProxyType[Fate, type[ProviderError]]] = MappingProxyType(
    {
        Fate.DECLINED: Declined,
        Fate.RATE_LIMITED: RateLimited,
        Fate.UNAVAILABLE: NotSent,
        Fate.AUTH_FAILED: AuthFailed,
        Fate.INVALID: RequestRejected,
        Fate.DONE_BUT_UNKNOWN: OutcomeUnknown,
        Fate.NOT_DONE_AND_UNKNOWN: OutcomeUnknown,
        Fate.UNKNOWN_FOR_GOOD: OutcomeUnknown,
    }
)
"""Outcomes that are raised as an error."""

NOT_DONE: Final = frozenset(
    {
        Fate.DECLINED,
        Fate.NOT_DONE_AND_UNKNOWN,
        Fate.RATE_LIMITED,
        Fate.UNAVAILABLE,
        Fate.AUTH_FAILED,
        Fate.INVALID,
    }
)
"""After these CPay knows nothing of the reference."""


class CPayProvider(Provider):
    name = "cpay"
    title = "CPay"
    failures = FAILURES
    is_in_process = True
    base_urls = MappingProxyType({"live": "in-process", "sandbox": "in-process"})
    settings = (
        AccountSetting(
            "api_key", "switches CPay on", is_secret=True, is_required=True, demo="cpay-sandbox-key"
        ),
        AccountSetting(
            "api_secret",
            "signs CPay's callbacks, makes its ids",
            is_secret=True,
            is_required=True,
            demo="cpay-sandbox-secret",
        ),
    )
    capabilities = Capabilities(
        currencies=MappingProxyType({code: Limits() for code in EXPONENTS}),
        needs=frozenset(),
        countries=frozenset(),
        whole_units=False,
        has_payment_page=False,
        inquiry_kinds=frozenset({Kind.PAYMENT, Kind.REFUND}),
        is_resend_safe=True,
        can_inquire_by_reference=True,
        can_refund=True,
        can_refund_partially=True,
        can_refund_repeatedly=True,
        can_cancel=True,
        payouts=MappingProxyType({}),
        signs_callbacks=True,
        has_statement=False,
        statement_reach=timedelta(0),
        lists_refunds=False,
        expires_after=timedelta(hours=24),
        horizon=timedelta(hours=24),
        costs=MappingProxyType({}),
        moves_real_money=False,
    )
    callback_headers = frozenset({callbacks.SIGNATURE})

    def sign(self, body: bytes) -> str:
        """The `X-CPay-Signature` of a callback's body: for whoever plays CPay."""
        return callbacks.signature(body, self.account["api_secret"])

    def read_callback(self, callback: Callback) -> CallbackEvent:
        return callbacks.read(callback, self.account["api_secret"])

    def _charge(self, request: ChargeRequest) -> ProviderResult:
        fate, code = fate_of_charge(request.amount)
        _refuse(fate, code)
        if fate is Fate.PENDING or self._is_to_wait(request):
            return self._waiting(request.reference, request.amount)
        return self._paid(request.reference, request.amount, fate)

    def _is_to_wait(self, request: ChargeRequest) -> bool:
        is_asked_for = request.metadata.get("simulate") == "pending"
        return is_asked_for and self.account.environment != "live"

    def _inquire(self, charge: ChargeReference) -> ProviderResult:
        fate, code = fate_of_charge(charge.amount)
        known = charge.provider_reference
        if known is not None:
            return self._known(known, charge, fate)
        if fate is Fate.UNKNOWN_FOR_GOOD:
            raise OutcomeUnknown(code=code)
        if fate in NOT_DONE:
            return ProviderResult(State.NOT_FOUND)
        if fate is Fate.PENDING or (charge.receipt or "").startswith(Mark.WAITING):
            return self._waiting(charge.reference, charge.amount)
        return self._paid(charge.reference, charge.amount, fate)

    def _known(self, known: str, charge: ChargeReference, fate: Fate) -> ProviderResult:
        """By an id of ours that came with an answer or with a signed callback."""
        if known.startswith(Mark.FAILED):
            return ProviderResult(
                State.FAILED, provider_reference=known, code="failed", response=_facts(known, "failed")
            )
        if known.startswith(Mark.CANCELLED):
            return ProviderResult(
                State.CANCELLED, provider_reference=known, response=_facts(known, "cancelled")
            )
        paid = self._paid(charge.reference, charge.amount, fate)
        if known != paid.provider_reference:
            raise OutcomeUnknown(
                "CPay's id is of another amount, or made with another secret.", code=OTHER_ID
            )
        return paid

    def _cancel(self, charge: ChargeReference) -> ProviderResult:
        found = self._ask(charge)
        if found.state is not State.PENDING:
            return found
        identity = self._id(Mark.CANCELLED, charge.reference)
        return ProviderResult(
            State.CANCELLED, provider_reference=identity, response=_facts(identity, "cancelled")
        )

    def _refund(self, request: RefundRequest) -> ProviderResult:
        left = request.charge.amount.amount_minor - request.refunded_before
        if request.amount.currency != request.charge.amount.currency or request.amount.amount_minor > left:
            raise RequestRejected("CPay refunds no more than what is left.", code="refund_exceeds_payment")
        _refuse(*fate_of_refund(request.amount))
        return self._refunded(request.reference, request.amount)

    def _inquire_refund(self, refund: RefundReference) -> ProviderResult:
        fate, _ = fate_of_refund(refund.amount)
        if fate in NOT_DONE:
            return ProviderResult(State.NOT_FOUND)
        return self._refunded(refund.reference, refund.amount)

    def _paid(self, reference: str, amount: Money, fate: Fate) -> ProviderResult:
        identity = self._id(Mark.PAID, reference, amount)
        taken = amount
        if fate is Fate.WRONG_AMOUNT:
            taken = amount + Money(10 ** exponent_of(amount.currency), amount.currency)
        return ProviderResult(
            State.SUCCEEDED,
            provider_reference=identity,
            receipt=identity,
            amount=taken,
            response=_facts(identity, "completed", taken),
        )

    def _waiting(self, reference: str, amount: Money) -> ProviderResult:
        """The id is kept as the receipt, so that the place of the provider's reference is free for the id that a signed
        callback brings: by which of them is there an inquiry knows how the payment stands."""
        identity = self._id(Mark.WAITING, reference)
        return ProviderResult(
            State.PENDING, receipt=identity, amount=amount, response=_facts(identity, "pending", amount)
        )

    def _refunded(self, reference: str, amount: Money) -> ProviderResult:
        identity = self._id(Mark.REFUNDED, reference)
        return ProviderResult(
            State.SUCCEEDED,
            provider_reference=identity,
            amount=amount,
            response=_facts(identity, "completed", amount),
        )

    def _id(self, mark: Mark, reference: str, amount: Money | None = None) -> str:
        return identity(mark, reference, secret=self.account["api_secret"], amount=amount)


def _refuse(fate: Fate, code: str) -> None:
    error = REFUSALS.get(fate)
    if error is not None:
        raise error(MESSAGES.get(code), code=code, response={"status": "failed", "failure_reason": code})


def _facts(identity: str, status: str, amount: Money | None = None) -> dict[str, str]:
    answered = {"id": identity, "status": status}
    return answered if amount is None else {**answered, "amount": str(amount), "currency": amount.currency}

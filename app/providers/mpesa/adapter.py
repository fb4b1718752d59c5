"""M-Pesa by Daraja: a charge is an STK push, a refund a reversal, payouts are B2C and B2B.

Only the push can be asked about at once. The outcome of reversals and payouts comes in a result message; asking about them starts
a status query, whose answer is such a message, too. Nothing is signed, so callback URLs hold a secret path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final

from app import clock
from app.errors import InvalidRequest
from app.money import Money
from app.providers.base import (
    QUESTION,
    Account,
    AccountSetting,
    Acknowledgement,
    Callback,
    CallbackEvent,
    Capabilities,
    ChargeReference,
    ChargeRequest,
    Context,
    Customer,
    FailureTable,
    Limits,
    PayoutMethod,
    PayoutReference,
    PayoutRequest,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    SavedMethod,
    State,
    StatementLine,
)
from app.providers.errors import (
    NO_PROVIDER_ID,
    NotSupported,
    OutcomeUnknown,
    ProviderError,
    ReceiptMissing,
    RequestRejected,
    UnclearAnswer,
    UnconfirmedFailure,
)
from app.providers.mpesa import bodies, callbacks, statement
from app.providers.mpesa.client import DarajaClient
from app.providers.mpesa.failures import FAILURES
from app.providers.mpesa.settings import (
    CAPABILITIES,
    SETTINGS,
    has_initiator,
    has_pull,
    largest_amount,
)
from app.providers.mpesa.statuses import RESULT_CODES, is_still_open, state_when_asked
from app.providers.mpesa.values import CURRENCY, MINOR, code_of, facts, id_of, msisdn, text_of

PUSH_PATH: Final = "/mpesa/stkpush/v1/processrequest"
PUSH_QUERY_PATH: Final = "/mpesa/stkpushquery/v1/query"
REVERSAL_PATH: Final = "/mpesa/reversal/v1/request"
B2C_PATH: Final = "/mpesa/b2c/v3/paymentrequest"
B2B_PATH: Final = "/mpesa/b2b/v1/paymentrequest"
STATUS_PATH: Final = "/mpesa/transactionstatus/v1/query"

ACK_FACTS: Final = (
    "MerchantRequestID",
    "CheckoutRequestID",
    "ConversationID",
    "OriginatorConversationID",
    "ResponseCode",
    "ResponseDescription",
    "CustomerMessage",
    "ResultCode",
    "ResultDesc",
)

PHONE: Final = "phone_number"
"""The detail of a saved method."""

DARAJAS_ID: Final = ("OriginatorConversationID", "ConversationID")
"""What a reversal and a payout to a till are known by: a status query takes the first one. B2C has our reference there."""

ACCEPTED: Final = Acknowledgement(200, MappingProxyType({"ResultCode": 0, "ResultDesc": "Accepted"}))


class MpesaProvider(Provider):
    """One shortcode (and, for payouts and refunds, its API operator)."""

    name: ClassVar[str] = "mpesa"
    title: ClassVar[str] = "M-Pesa"
    failures: ClassVar[FailureTable] = FAILURES
    capabilities: ClassVar[Capabilities] = CAPABILITIES
    settings: ClassVar[tuple[AccountSetting, ...]] = SETTINGS
    saved_method = SavedMethod((PHONE,), (), (PHONE,))
    base_urls: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "live": "https://api.safaricom.co.ke",
            "sandbox": "https://sandbox.safaricom.co.ke",
        }
    )
    callback_headers: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, account: Account, context: Context) -> None:
        super().__init__(account, context)
        self._daraja = DarajaClient(self.account, context)
        # What an account can do depends on its settings: the class says what M-Pesa can do at most.
        self.capabilities = _capabilities_of(self.account)  # type: ignore[misc]

    @classmethod
    def _normal_method(cls, details: dict[str, str]) -> dict[str, str]:
        try:
            return {PHONE: msisdn(details[PHONE].translate({ord(" "): None, ord("-"): None}))}
        except RequestRejected:
            raise InvalidRequest(
                f"{PHONE} must be a Kenyan mobile number: 2547… or 2541…", field=f"details.{PHONE}"
            ) from None

    @classmethod
    def payer(cls, customer: Customer, details: Mapping[str, str]) -> Customer:
        return replace(customer, phone=f"+{details[PHONE]}")

    def _method_paid_with(self, charge: ChargeReference, customer: Customer) -> Mapping[str, str] | None:
        return {PHONE: msisdn(customer.phone)}

    def _check(self, amount: Money, customer: Customer) -> None:
        msisdn(customer.phone)

    def _charge(self, request: ChargeRequest) -> ProviderResult:
        body = bodies.push(self.account, request, clock.now())
        answer = self._daraja.command(PUSH_PATH, body)
        return _pending(answer, "CheckoutRequestID")

    def _inquire(self, charge: ChargeReference) -> ProviderResult:
        if not charge.provider_reference:
            raise OutcomeUnknown(
                "The answer to this push was lost: there is no provider id to query.", code=NO_PROVIDER_ID
            )
        body = bodies.push_query(self.account, charge.provider_reference, clock.now())
        try:
            answer = self._daraja.send(PUSH_QUERY_PATH, body)
        except OutcomeUnknown as error:
            # The customer has not answered yet: Daraja says so with HTTP 500 and these words.
            if is_still_open(error.code, str(error.response.get("errorMessage", ""))):
                return _as_it_stands(State.PENDING, charge, error.response)
            raise
        found = _push_state(charge, answer)
        if found.state in (State.FAILED, State.CANCELLED) and charge.receipt and has_initiator(self.account):
            return self._ask_by_receipt(charge, charge.receipt, found)
        return found

    def _ask_by_receipt(self, charge: ChargeReference, receipt: str, found: ProviderResult) -> ProviderResult:
        """A push with a receipt was not paid, says the query: ask what became of the receipt. The answer comes by callback."""
        body = bodies.receipt_query(self.account, receipt)
        body |= bodies.status_urls(charge.callback_url, "payment")
        try:
            asked = self._daraja.command(STATUS_PATH, body)
        except ProviderError:
            return found  # asked again with the next query
        return replace(found, response={**found.response, QUESTION: id_of(asked.get("ConversationID"))})

    def _refund(self, request: RefundRequest) -> ProviderResult:
        self._require_initiator()
        if not request.charge.receipt:
            raise ReceiptMissing
        if request.refunded_before or request.amount != request.charge.amount:
            raise RequestRejected("M-Pesa reverses whole payments only.", code="partial_refund")
        answer = self._daraja.command(REVERSAL_PATH, bodies.reversal(self.account, request))
        return _pending(answer, *DARAJAS_ID)

    def _inquire_refund(self, refund: RefundReference) -> ProviderResult:
        shortcode = self.account["shortcode"]
        return self._ask_status(refund.provider_reference, refund, shortcode, notice="refund")

    def _check_payout(self, request: PayoutRequest) -> None:
        self._payout_body(request)

    def _pay_out(self, request: PayoutRequest) -> ProviderResult:
        body = self._payout_body(request)
        if request.method is PayoutMethod.TILL:
            return _pending(self._daraja.command(B2B_PATH, body), *DARAJAS_ID)
        return _pending(self._daraja.command(B2C_PATH, body), "ConversationID")

    def _payout_body(self, request: PayoutRequest) -> dict[str, Any]:
        """Raises RequestRejected."""
        self._require_initiator()
        if request.method not in self.capabilities.payouts:
            raise NotSupported(f"M-Pesa cannot pay out by {request.method.value}.")
        self._check_payout_amount(request.amount)
        to = bodies.to_till if request.method is PayoutMethod.TILL else bodies.to_phone
        return to(self.account, request)

    def _inquire_payout(self, payout: PayoutReference) -> ProviderResult:
        # B2C takes our reference as its OriginatorConversationID; B2B makes one of its own.
        if payout.method is PayoutMethod.MPESA:
            shortcode = bodies.phone_shortcode(self.account)
            return self._ask_status(payout.reference, payout, shortcode, notice="payout")
        shortcode = bodies.till_shortcode(self.account)
        return self._ask_status(payout.provider_reference, payout, shortcode, notice="till")

    def _statement(self, start: datetime, end: datetime) -> Sequence[StatementLine]:
        if not self.capabilities.has_statement:
            raise NotSupported("The M-Pesa pull API is not switched on.")
        return statement.collect(self._daraja, self.account, start, end)

    def read_callback(self, callback: Callback) -> CallbackEvent:
        return callbacks.read(callback)

    def acknowledge(self, event: CallbackEvent) -> Acknowledgement:
        return ACCEPTED

    def _ask_status(
        self, originator: str | None, about: RefundReference | PayoutReference, shortcode: str, *, notice: str
    ) -> ProviderResult:
        """Start a status query. PENDING: the outcome comes in its result message."""
        if not originator:
            raise OutcomeUnknown(
                "The answer to this request was lost, so there is nothing to ask by.",
                code=NO_PROVIDER_ID,
            )
        self._require_initiator()
        urls = bodies.status_urls(about.callback_url, notice)
        body = bodies.status_query(self.account, originator, shortcode) | urls
        answer = self._daraja.command(STATUS_PATH, body)
        # The ConversationID of this answer is the question's, not the operation's: it goes to `response` only.
        return ProviderResult(
            State.PENDING, provider_reference=about.provider_reference, response=facts(answer, ACK_FACTS)
        )

    def _require_initiator(self) -> None:
        if not has_initiator(self.account):
            raise RequestRejected(
                "This M-Pesa account has no API operator (initiator), which reversals and payouts need.",
                code="not_configured",
            )

    def _check_payout_amount(self, amount: Money) -> None:
        most = self.capabilities.currencies[CURRENCY].maximum
        if most is not None and amount.amount_minor > most:
            raise RequestRejected(f"M-Pesa pays out at most {Money(most, CURRENCY)} KES.", code="amount")


def _capabilities_of(account: Account) -> Capabilities:
    can_command = has_initiator(account)
    return replace(
        CAPABILITIES,
        currencies=MappingProxyType({CURRENCY: Limits(MINOR, largest_amount(account))}),
        can_refund=can_command,
        payouts=CAPABILITIES.payouts if can_command else MappingProxyType({}),
        has_statement=has_pull(account),
    )


def _pending(answer: Mapping[str, Any], *id_fields: str) -> ProviderResult:
    """An accepted request, known from now on by the first of these ids. Raises OutcomeUnknown when the answer has none:
    everything later hangs on it."""
    reference = next((found for name in id_fields if (found := id_of(answer.get(name)))), None)
    if reference is None:
        raise OutcomeUnknown(code="unreadable_answer", response=facts(answer, ACK_FACTS))
    return ProviderResult(State.PENDING, provider_reference=reference, response=facts(answer, ACK_FACTS))


def _push_state(charge: ChargeReference, answer: Mapping[str, Any]) -> ProviderResult:
    """By the answer of a push query, which names no amount, phone or receipt."""
    answered = facts(answer, ACK_FACTS)
    code, description = code_of(answer.get("ResultCode")), text_of(answer.get("ResultDesc"))
    is_about_it = answer.get("CheckoutRequestID") in (None, charge.provider_reference)
    if code_of(answer.get("ResponseCode")) != "0" or code is None or not is_about_it:
        raise OutcomeUnknown(
            "M-Pesa did not say how the payment stands.", code="unclear_answer", response=answered
        )
    state = state_when_asked(code, description)
    if state is None and code not in RESULT_CODES:
        raise UnconfirmedFailure(description or "M-Pesa gives no reason.", code=code, response=answered)
    if state is None:
        raise UnclearAnswer(f"M-Pesa answered with an unclear code, {code}.", code=code, response=answered)
    if state in (State.SUCCEEDED, State.PENDING):
        return _as_it_stands(state, charge, answered)
    return ProviderResult(
        state,
        provider_reference=charge.provider_reference,
        code=code,
        message=description or None,
        response=answered,
    )


def _as_it_stands(state: State, charge: ChargeReference, answered: Mapping[str, Any]) -> ProviderResult:
    receipt = charge.receipt if state is State.SUCCEEDED else None
    return ProviderResult(
        state, provider_reference=charge.provider_reference, receipt=receipt, response=answered
    )

"""The Paystack adapter. Charges and transfers are known by our reference; a refund by Paystack's id alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final
from urllib.parse import quote

from app.clock import iso_z
from app.providers import environments
from app.providers.base import (
    Account,
    AccountSetting,
    Callback,
    CallbackEvent,
    Capabilities,
    ChargeReference,
    ChargeRequest,
    Context,
    Customer,
    Kind,
    Limits,
    ListedRefund,
    PayoutReference,
    PayoutRequest,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.errors import OutcomeUnknown
from app.providers.facts import clean, facts
from app.providers.http import Answer
from app.providers.paystack import callbacks, transactions
from app.providers.paystack.amounts import SUBUNITS, from_subunits
from app.providers.paystack.client import PaystackClient, accepted, data_of, is_absent
from app.providers.paystack.failures import FAILURES
from app.providers.paystack.payouts import make_recipient, payout_methods, recipient_body
from app.providers.paystack.statuses import ENVIRONMENTS, REFUNDS, SENTENCES, TRANSFERS
from app.providers.paystack.transactions import subunits
from app.providers.replies import environment_of, require_reference, state_of, word

LIST_PAGE: Final = 100
"""Refunds in one page of the list."""

LIST_PAGES: Final = 5
"""Pages of the list that are searched for a refund whose id was lost."""

_REFUND: Final = (
    "id",
    "status",
    "amount",
    "currency",
    "channel",
    "merchant_note",
    "customer_note",
    "expected_at",
    "refunded_at",
)
_TRANSFER: Final = (
    "id",
    "status",
    "reference",
    "transfer_code",
    "amount",
    "currency",
    "reason",
    "createdAt",
    "updatedAt",
)


NO_FILTER: Final = "none"
"""`refund_filter` of an account whose list of refunds takes no filter."""


class Paystack(Provider):
    """Hosted checkout by `reference`; every result is learnt by asking, webhooks only say when."""

    name = "paystack"
    title = "Paystack"
    failures = FAILURES
    capabilities: ClassVar[Capabilities] = Capabilities(
        currencies=MappingProxyType({currency: Limits() for currency in SUBUNITS}),
        needs=frozenset({"email"}),
        countries=frozenset({"CI", "GH", "KE", "NG", "ZA"}),
        whole_units=False,
        has_payment_page=True,
        inquiry_kinds=frozenset({Kind.PAYMENT, Kind.REFUND, Kind.PAYOUT}),
        is_resend_safe=True,
        can_inquire_by_reference=True,
        can_refund=True,
        can_refund_partially=True,
        can_refund_repeatedly=True,
        can_cancel=False,
        payouts=payout_methods(),
        signs_callbacks=True,
        has_statement=False,
        statement_reach=timedelta(0),
        lists_refunds=True,
        expires_after=timedelta(hours=24),
        # Paystack repeats a webhook for up to 72 hours.
        horizon=timedelta(hours=72),
        # Paystack's own price list.
        costs=MappingProxyType(
            {
                "NGN": (15_000, 100_00),
                "GHS": (19_500, 0),
                "KES": (29_000, 0),
                "ZAR": (29_000, 1_00),
                "XOF": (32_000, 0),
                "EGP": (27_000, 2_50),
                "RWF": (29_000, 0),
                "USD": (39_000, 0),
            }
        ),
        moves_real_money=True,
    )
    callback_headers = frozenset({callbacks.SIGNATURE})
    saved_method = transactions.SAVED_METHOD
    settings = (
        AccountSetting(
            "secret_key",
            "secret API key, sk_test_… or sk_live_…; signs webhooks, too",
            is_secret=True,
            is_required=True,
            demo="sk_test_sandbox_paystack",
            prefixes=MappingProxyType({"live": ("sk_live_",), "sandbox": ("sk_test_",)}),
        ),
        AccountSetting("channels", "channels of the payment page, comma separated; empty: all"),
        AccountSetting("fallback_email", "sent when a customer has no e-mail; empty: an e-mail is required"),
        AccountSetting(
            "refund_filter",
            "query parameter that narrows the list of refunds to a transaction; none: no filter",
            default="transaction",
        ),
        AccountSetting(
            "kes_bank_type",
            "recipient type of Kenyan banks in payouts, which Paystack does not document",
            default="kepss",
        ),
    )
    base_urls = MappingProxyType(
        {
            # One host: the key decides between test and live.
            "live": "https://api.paystack.co",
            "sandbox": "https://api.paystack.co",
        }
    )

    def __init__(self, account: Account, context: Context) -> None:
        super().__init__(account, context)
        self._client = PaystackClient(self.account, context)
        if self.account["fallback_email"]:
            # What is needed depends on the account; everything else is the class's.
            self.capabilities = replace(type(self).capabilities, needs=frozenset())  # type: ignore[misc]

    def read_callback(self, callback: Callback) -> CallbackEvent:
        return callbacks.read(callback, self.account)

    # --- payments

    @classmethod
    def payer(cls, customer: Customer, details: Mapping[str, str]) -> Customer:
        return replace(customer, email=details.get(transactions.EMAIL) or customer.email)

    def _charge(self, request: ChargeRequest) -> ProviderResult:
        if request.saved_details is not None:
            return self._charge_saved(request, request.saved_details)
        body = transactions.initialize_body(self.account, request)
        data = self._client.post("/transaction/initialize", body)
        require_reference(data.get("reference"), request.reference, provider=self.title)
        return transactions.page_result(data, request.reference)

    def _charge_saved(self, request: ChargeRequest, details: Mapping[str, str]) -> ProviderResult:
        body = transactions.authorization_body(self.account, request, details)
        data = self._client.post("/transaction/charge_authorization", body)
        require_reference(data.get("reference"), request.reference, provider=self.title)
        if data.get("paused") is True:
            return transactions.page_result(data, request.reference)
        self._require_environment(data)
        return transactions.result(data, request.reference, is_unattended=True)

    def _inquire(self, charge: ChargeReference) -> ProviderResult:
        answer = self._verify(charge)
        if is_absent(answer):
            return ProviderResult(State.NOT_FOUND, response=facts(answer.object(), "message", "code"))
        data = self._transaction(answer, charge)
        return transactions.result(data, charge.reference, is_unattended=charge.is_unattended)

    def _method_paid_with(self, charge: ChargeReference, customer: Customer) -> Mapping[str, str] | None:
        answer = self._verify(charge)
        return None if is_absent(answer) else transactions.reusable_method(self._transaction(answer, charge))

    def _verify(self, charge: ChargeReference) -> Answer:
        return self._client.get(f"/transaction/verify/{quote(charge.reference, safe='')}")

    def _transaction(self, answer: Answer, charge: ChargeReference) -> dict[str, Any]:
        data = data_of(accepted(answer))
        require_reference(data.get("reference"), charge.reference, provider=self.title)
        self._require_environment(data)
        return data

    # --- refunds

    def _refund(self, request: RefundRequest) -> ProviderResult:
        data = self._client.post(
            "/refund",
            {
                "transaction": request.charge.reference,
                "amount": subunits(request.amount),
                "currency": request.amount.currency,
                "customer_note": clean(request.reason)[:100],
                # Paystack takes no reference for a refund: this is the only place ours can be found again.
                "merchant_note": request.reference,
            },
        )
        return self._refund_result(data)

    def _inquire_refund(self, refund: RefundReference) -> ProviderResult:
        if not refund.provider_reference:
            return self._refund_result(self._lost_refund(refund), is_listed=True)
        data = data_of(accepted(self._client.get(f"/refund/{quote(refund.provider_reference, safe='')}")))
        require_reference(word(data, "id"), refund.provider_reference, provider=self.title)
        return self._refund_result(data)

    def _lost_refund(self, refund: RefundReference) -> Mapping[str, Any]:
        """The refund with our reference in its merchant_note, out of the list of those made since it was sent.

        Raises OutcomeUnknown when it is not there, for a list that does not show it is no proof that it was not made,
        and when several are: the note is free text, and anyone can write it in the dashboard.
        """
        rows = self._list_refunds(refund.charge, since=refund.sent_at)
        found = {word(row, "id"): row for row in rows if row.get("merchant_note") == refund.reference}
        if len(found) != 1:
            raise OutcomeUnknown("Paystack does not list one refund with this reference.", code="not_listed")
        return found.popitem()[1]

    def _refunds_of(self, charge: ChargeReference) -> list[ListedRefund]:
        if not charge.receipt:
            raise OutcomeUnknown("Without Paystack's id its refunds cannot be distinguished.", code="no_id")
        rows = self._list_refunds(charge, since=charge.sent_at)
        ours = [row for row in rows if _transaction_of(row) == charge.receipt]
        return [
            ListedRefund(self._refund_result(row, is_listed=True), word(row, "merchant_note")) for row in ours
        ]

    def _list_refunds(self, charge: ChargeReference, *, since: datetime) -> Iterator[Mapping[str, Any]]:
        """Refunds made since a day before `since`, of the charge where the filter works. Raises OutcomeUnknown when
        there are more than LIST_PAGES pages of them."""
        query = {"perPage": str(LIST_PAGE), "from": iso_z(since - timedelta(days=1))}
        if self.account["refund_filter"] != NO_FILTER and charge.receipt:
            query[self.account["refund_filter"]] = charge.receipt
        for page in range(1, LIST_PAGES + 1):
            listed = accepted(self._client.get("/refund", query | {"page": str(page)})).get("data")
            if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
                raise OutcomeUnknown("Paystack's list of refunds cannot be read.", code="unreadable_list")
            yield from listed
            if len(listed) < LIST_PAGE:
                return
        raise OutcomeUnknown("Paystack lists more refunds than can be looked through.", code="long_list")

    def _refund_result(self, data: Mapping[str, Any], *, is_listed: bool = False) -> ProviderResult:
        """is_listed: a row of the list of refunds, whose members Paystack's specification does not promise."""
        self._require_environment(data, is_always_reported=not is_listed)
        state, own_id = state_of(REFUNDS, data.get("status"), provider=self.title), word(data, "id")
        amount = from_subunits(data.get("amount"), data.get("currency"))
        if own_id is None or (state is State.SUCCEEDED and amount is None):
            raise OutcomeUnknown(
                "Paystack's answer to the refund is incomplete.",
                code="incomplete",
                response=facts(data, *_REFUND),
            )
        return _moved(state, data, _REFUND, provider_reference=own_id, receipt=own_id)

    # --- payouts

    def _check_payout(self, request: PayoutRequest) -> None:
        recipient_body(request, kes_bank_type=self.account["kes_bank_type"])

    def _pay_out(self, request: PayoutRequest) -> ProviderResult:
        recipient = make_recipient(self._client, request, kes_bank_type=self.account["kes_bank_type"])
        data = self._client.post(
            "/transfer",
            {
                "source": "balance",
                "amount": subunits(request.amount),
                "currency": request.amount.currency,
                "recipient": recipient,
                "reference": request.reference,
                "reason": clean(request.reason)[:100],
            },
        )
        return self._transfer_result(data, request.reference)

    def _inquire_payout(self, payout: PayoutReference) -> ProviderResult:
        answer = self._client.get(f"/transfer/verify/{quote(payout.reference, safe='')}")
        if is_absent(answer):
            return ProviderResult(State.NOT_FOUND, response=facts(answer.object(), "message", "code"))
        return self._transfer_result(data_of(accepted(answer)), payout.reference)

    def _transfer_result(self, data: Mapping[str, Any], reference: str) -> ProviderResult:
        require_reference(data.get("reference"), reference, provider=self.title)
        self._require_environment(data)
        state, code = (
            state_of(TRANSFERS, data.get("status"), provider=self.title),
            word(data, "transfer_code"),
        )
        if state is State.SUCCEEDED and from_subunits(data.get("amount"), data.get("currency")) is None:
            raise OutcomeUnknown(
                "Paystack says success without an amount.",
                code="incomplete",
                response=facts(data, *_TRANSFER),
            )
        return _moved(state, data, _TRANSFER, provider_reference=code, receipt=word(data, "id"))

    def _require_environment(self, data: Mapping[str, Any], *, is_always_reported: bool = True) -> None:
        """Raises WrongEnvironment for what `domain` says is of the other mode."""
        environments.require_same(
            self.account,
            environment_of(data, "domain", ENVIRONMENTS),
            is_always_reported=is_always_reported,
            response=facts(data, "reference", "domain"),
        )


def _moved(
    state: State,
    data: Mapping[str, Any],
    names: tuple[str, ...],
    *,
    provider_reference: str | None,
    receipt: str | None,
) -> ProviderResult:
    """The result of a refund or a transfer. Failures and states that need an action carry a sentence."""
    status = word(data, "status") or ""
    sentence = SENTENCES.get(status)
    is_bad = state is State.FAILED
    return ProviderResult(
        state,
        provider_reference=provider_reference,
        receipt=receipt,
        amount=from_subunits(data.get("amount"), data.get("currency")),
        code=status if is_bad or sentence else None,
        message=sentence or ("Paystack says that this failed." if is_bad else None),
        response=facts(data, *names),
    )


def _transaction_of(refund: Mapping[str, Any]) -> str | None:
    """The id of the transaction a listed refund belongs to: an id, or the object."""
    inner = refund.get("transaction")
    return word(inner, "id") if isinstance(inner, dict) else word(refund, "transaction")

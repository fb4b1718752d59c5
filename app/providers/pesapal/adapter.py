"""Pesapal v3 as the gateway sees it: an order, a page the customer is sent to, and a status to ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from app import clock
from app.money import Money
from app.parsing import one_of
from app.providers.base import (
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
    Kind,
    Limits,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    SavedMethod,
    State,
)
from app.providers.errors import (
    Declined,
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RequestRejected,
)
from app.providers.pesapal import callbacks
from app.providers.pesapal.client import PesapalClient, Reply
from app.providers.pesapal.failures import FAILURES
from app.providers.pesapal.statuses import payer_of, payment_result

ORDER_PATH: Final = "/api/Transactions/SubmitOrderRequest"
STATUS_PATH: Final = "/api/Transactions/GetTransactionStatus"
CANCEL_PATH: Final = "/api/Transactions/CancelOrder"
REFUND_PATH: Final = "/api/Transactions/RefundRequest"

DEMO_MERCHANTS: Final = MappingProxyType(
    {
        "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW": "osGQ364R49cXKeOYSpaOnT++rHs=",
        "TDpigBOOhs+zAl8cwH2Fl82jJGyD8xev": "1KpqkfsMaihIcOlhnBo/gBZ5smw=",
        "ngW+UEcnDhltUc5fxPfrCD987xMh3Lx8": "q27RChYs5UkypdcNYKzuUw460Dg=",
    }
)
"""Consumer key → secret of Pesapal's public demo merchants (developer.pesapal.com/api3-demo-keys.txt): sandbox only."""

MAX_DESCRIPTION: Final = 100
DUPLICATE: Final = "409"
REFUSED: Final = "500"
REFUND_REFUSALS: Final = ("invalid amount", "invalid_refund_amount", "invalid_transaction_status")
"""Words of the messages and codes that say a refund was not taken, in lower case. The first was recorded; the others are the
simulator's, in the form of the codes that Pesapal documents."""
"""The body's `status` of a refusal."""


class PesapalProvider(Provider):
    name = "pesapal"
    title = "Pesapal"
    failures = FAILURES
    base_urls = MappingProxyType(
        {
            "live": "https://pay.pesapal.com/v3",
            "sandbox": "https://cybqa.pesapal.com/pesapalv3",
        }
    )
    saved_method = SavedMethod(("payment_method",), ("last4",), ("payment_method", "last4"))
    settings = (
        AccountSetting(
            "consumer_key",
            "consumer key of the merchant",
            is_secret=True,
            is_required=True,
            demo=next(iter(DEMO_MERCHANTS)),
            published=frozenset(DEMO_MERCHANTS),
        ),
        AccountSetting(
            "consumer_secret",
            "consumer secret of the merchant",
            is_secret=True,
            is_required=True,
            demo=next(iter(DEMO_MERCHANTS.values())),
            published=frozenset(DEMO_MERCHANTS.values()),
        ),
        AccountSetting("ipn_id", "id of the registered IPN URL; empty: the gateway registers its own"),
        AccountSetting(
            "ipn_method", "POST or GET: how notifications come", default="POST", parse=one_of("POST", "GET")
        ),
        AccountSetting(
            "refund_username", "who asks for refunds, as the dashboard shows it", default="gateway"
        ),
    )
    capabilities = Capabilities(
        currencies=MappingProxyType({code: Limits() for code in ("KES", "TZS", "UGX", "USD")}),
        needs=frozenset(),
        countries=frozenset({"KE", "TZ", "UG"}),
        whole_units=False,
        has_payment_page=True,
        inquiry_kinds=frozenset({Kind.PAYMENT, Kind.REFUND}),
        is_resend_safe=True,
        can_inquire_by_reference=False,
        can_refund=True,
        can_refund_partially=True,
        can_refund_repeatedly=False,
        can_cancel=True,
        payouts=MappingProxyType({}),
        signs_callbacks=False,
        has_statement=False,
        statement_reach=timedelta(0),
        lists_refunds=False,
        expires_after=timedelta(hours=24),
        horizon=timedelta(hours=24),
        costs=MappingProxyType({"*": (35_000, 0)}),
        moves_real_money=True,
    )
    callback_headers = frozenset()

    def __init__(self, account: Account, context: Context) -> None:
        super().__init__(account, context)
        self._client = PesapalClient(self.account, context)

    def read_callback(self, callback: Callback) -> CallbackEvent:
        return callbacks.read(callback)

    def acknowledge(self, event: CallbackEvent) -> Acknowledgement:
        return callbacks.acknowledgement(event)

    def _check(self, amount: Money, customer: Customer) -> None:
        if not customer.phone and not customer.email:
            raise RequestRejected("Pesapal needs the customer's phone or e-mail.", code="phone_or_email")

    def _charge(self, request: ChargeRequest) -> ProviderResult:
        ipn_id = self.account["ipn_id"] or self._registered(request)
        reply = self._client.post(ORDER_PATH, _order(request, ipn_id))
        if not reply.is_ok and not self.account["ipn_id"] and _is_about_ipn(reply):
            # The address we remember is not registered (any more). The order was refused, so it may be sent again.
            ipn_id = self._registered(request, rejected=ipn_id)
            reply = self._client.post(ORDER_PATH, _order(request, ipn_id))
        _require_ok(reply)
        tracking_id, page = reply.body.get("order_tracking_id"), reply.body.get("redirect_url")
        if not isinstance(tracking_id, str) or not tracking_id or not _is_page(page):
            raise OutcomeUnknown("Pesapal's answer has no order or no payment page.")
        if reply.body.get("merchant_reference") not in (None, request.reference):
            raise OutcomeUnknown("Pesapal's answer is about another order.", code="merchant_reference")
        return ProviderResult(
            State.PENDING,
            provider_reference=tracking_id,
            payment_url=page,
            response={"order_tracking_id": tracking_id, "status": reply.status},
        )

    def _registered(self, request: ChargeRequest, *, rejected: str | None = None) -> str:
        method = self.account["ipn_method"]
        return self._client.ipn_id(notification_url(request.callback_url), method, rejected=rejected)

    def _inquire(self, charge: ChargeReference) -> ProviderResult:
        tracking_id = charge.provider_reference
        if tracking_id is None:
            raise OutcomeUnknown(
                "Pesapal can only be asked by its own order id, and the answer with that was lost.",
                code="no_id",
            )
        reply = self._client.get(STATUS_PATH, {"orderTrackingId": tracking_id})
        return payment_result(reply, tracking_id=tracking_id, reference=charge.reference)

    def _method_paid_with(self, charge: ChargeReference, customer: Customer) -> Mapping[str, str] | None:
        if charge.provider_reference is None:
            return None
        reply = self._client.get(STATUS_PATH, {"orderTrackingId": charge.provider_reference})
        return payer_of(reply, reference=charge.reference)

    def _cancel(self, charge: ChargeReference) -> ProviderResult:
        tracking_id = charge.provider_reference
        if tracking_id is None:
            raise OutcomeUnknown("Pesapal can only cancel by its own order id, which was lost.", code="no_id")
        reply = self._client.post(CANCEL_PATH, {"order_tracking_id": tracking_id})
        if reply.is_ok:
            return ProviderResult(State.CANCELLED, provider_reference=tracking_id, response=reply.facts())
        # An order is cancelled once, and only a paid one not at all: long unpaid, it was cancelled before. A status may lag behind.
        found = self._ask(charge)
        is_old = clock.now() - charge.sent_at > self.capabilities.expires_after
        if is_old and _is_refusal(reply) and found.state is State.PENDING:
            return ProviderResult(State.CANCELLED, provider_reference=tracking_id, response=reply.facts())
        return found

    def _refund(self, request: RefundRequest) -> ProviderResult:
        receipt = request.charge.receipt or self._receipt_of(request.charge)
        reply = self._client.post(
            REFUND_PATH,
            {
                "confirmation_code": receipt,
                "amount": Decimal(str(request.amount)),
                "username": self.account["refund_username"],
                "remarks": _words(request.reason, "Refund"),
            },
        )
        if not reply.is_ok:
            raise _refund_error(reply)
        # Pesapal gives refunds no id. That this one was taken is remembered by what it was asked for with.
        return ProviderResult(State.PENDING, provider_reference=receipt, response=reply.facts())

    def _receipt_of(self, charge: ChargeReference) -> str:
        """The confirmation code of a paid charge. Only a question is sent: no failure leaves the refund unknown."""
        try:
            receipt = self._ask(charge).receipt
        except OutcomeUnknown as error:
            raise NotSent(error.message, code=error.code, response=error.response) from None
        if not receipt:
            raise RequestRejected(
                "Pesapal refunds by confirmation code, and has given none.", code="not_paid"
            )
        return receipt

    def _inquire_refund(self, refund: RefundReference) -> ProviderResult:
        """By the payment's status: Pesapal reports nothing of refunds but that the payment is reversed."""
        payment = self._inquire(refund.charge)
        receipt = refund.provider_reference or payment.receipt
        if payment.state is State.REFUNDED:
            return ProviderResult(State.SUCCEEDED, provider_reference=receipt, response=payment.response)
        if refund.provider_reference is None:
            raise OutcomeUnknown("Pesapal does not report whether it has received this refund.", code="no_id")
        return ProviderResult(State.PENDING, provider_reference=receipt, response=payment.response)


def notification_url(callback_url: str) -> str:
    """The address of notifications: `callback_url` up to `/pesapal`, without what is one charge's own. Every address
    must be registered with Pesapal, so all orders share one."""
    parts = urlsplit(callback_url)
    start, found, _ = parts.path.rpartition("/pesapal/")
    path = f"{start}/pesapal" if found else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _order(request: ChargeRequest, ipn_id: str) -> dict[str, Any]:
    first, _, last = (request.customer.name or "").strip().partition(" ")
    billing = {
        "email_address": request.customer.email,
        "phone_number": (request.customer.phone or "").removeprefix("+"),
        "first_name": first,
        "last_name": last.strip(),
    }
    return {
        "id": request.reference,
        "currency": request.amount.currency,
        "amount": Decimal(str(request.amount)),
        "description": _words(request.description, "Payment"),
        "callback_url": request.return_url,
        "cancellation_url": request.return_url,
        "notification_id": ipn_id,
        "billing_address": {name: value for name, value in billing.items() if value},
    }


def _words(text: str, fallback: str) -> str:
    """A required text: cut to its length, never blank."""
    return text.strip()[:MAX_DESCRIPTION] or fallback


def _is_page(url: object) -> bool:
    """Whether a customer can be sent there."""
    return isinstance(url, str) and url.startswith(("https://", "http://"))


def _is_about_ipn(reply: Reply) -> bool:
    text = f"{reply.code} {reply.message}".lower()
    return any(word in text for word in ("ipn", "notification_id", "notification id"))


def _refund_error(reply: Reply) -> ProviderError:
    """What an answer other than success to a refund means. It is a refusal only in the form that Pesapal refuses in, the status
    500 with a message, and with words of REFUND_REFUSALS: that an error occurred says nothing about the refund. "Received already"
    means that a refund exists there."""
    answered: dict[str, Any] = {"code": reply.code or None, "response": reply.facts()}
    words = f"{reply.code} {reply.message}".lower()
    if "already" in words or "duplicate" in words:
        return DuplicateReference(**answered)
    if _is_refusal(reply) and any(refusal in words for refusal in REFUND_REFUSALS):
        return Declined(reply.message, code=reply.code or "refund_refused", response=reply.facts())
    return OutcomeUnknown(**answered)


def _is_refusal(reply: Reply) -> bool:
    """Whether it has the form that Pesapal refuses in."""
    return reply.status == REFUSED and bool(reply.message) and "internal" not in reply.code.lower()


def _require_ok(reply: Reply) -> None:
    """Raises what a refused order means. Only an error Pesapal puts a name to is a refusal."""
    if reply.is_ok:
        return
    answered: dict[str, Any] = {"code": reply.code or None, "response": reply.facts()}
    if reply.status == DUPLICATE or "duplicate" in reply.code.lower():
        raise DuplicateReference(**answered)
    if not reply.code or "internal" in reply.code.lower():
        raise OutcomeUnknown(**answered)
    raise RequestRejected(reply.message or None, **answered)

"""Stripe as the gateway sees it.

Two flows. hosted: a Checkout Session, whose page the customer is sent to. intent: a PaymentIntent, whose client secret
the merchant's page confirms with, or which is confirmed at once with `metadata.payment_method`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

import stripe
from stripe.params import RefundCreateParams
from stripe.params.checkout import SessionCreateParams

from app.money import Money
from app.parsing import one_of
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
    ListedRefund,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    ReportedDispute,
    State,
)
from app.providers.environments import require_same
from app.providers.errors import OTHER_ID, NotSent, OutcomeUnknown, RequestRejected
from app.providers.stripe import callbacks, lookup, saved_cards, statuses
from app.providers.stripe.amounts import limits, to_wire
from app.providers.stripe.client import call, make_client
from app.providers.stripe.failures import FAILURES
from app.providers.stripe.statuses import Flow

SESSION: Final = "cs_"
"""How ids of Checkout Sessions begin; a charge made in the intent flow is known by its `pi_`."""

KEYS: Final = MappingProxyType({"live": ("sk_live_", "rk_live_"), "sandbox": ("sk_test_", "rk_test_")})
"""How Stripe's secret and restricted keys begin (docs.stripe.com/keys)."""

REASONS: Final[tuple[Literal["duplicate", "fraudulent", "requested_by_customer"], ...]] = (
    "duplicate",
    "fraudulent",
    "requested_by_customer",
)
"""The reasons of a refund Stripe has a word for; others are put into its metadata."""

MAX_METADATA: Final = 500
"""Characters of one metadata value."""


class StripeProvider(Provider):
    name = "stripe"
    title = "Stripe"
    failures = FAILURES
    aliases = ("visa",)
    base_urls = MappingProxyType({"live": "https://api.stripe.com", "sandbox": "https://api.stripe.com"})
    saved_method = saved_cards.SAVED_METHOD
    settings = (
        AccountSetting(
            "api_key",
            "secret key (sk_test_…, sk_live_…) or restricted key (rk_test_…, rk_live_…)",
            is_secret=True,
            is_required=True,
            demo="sk_test_sandbox",
            prefixes=KEYS,
        ),
        AccountSetting(
            "webhook_secret",
            "signing secret of the webhook endpoint (whsec_…)",
            is_secret=True,
            is_required=True,
            demo="whsec_sandbox",
            published=frozenset({"whsec_sandbox"}),
        ),
        AccountSetting(
            "flow",
            "page the customer pays on: hosted (Stripe's) or intent (yours; it confirms with the client secret)",
            default="hosted",
            parse=one_of("hosted", "intent"),
        ),
        AccountSetting("api_version", "Stripe-Version of the requests; empty: the SDK's own"),
    )
    capabilities = Capabilities(
        currencies=limits(),
        needs=frozenset(),
        countries=frozenset(),
        whole_units=False,
        has_payment_page=True,
        inquiry_kinds=frozenset({Kind.PAYMENT, Kind.REFUND, Kind.DISPUTE}),
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
        lists_refunds=True,
        expires_after=timedelta(hours=24),
        # Stripe keeps idempotency keys for 24 hours: after that the same key would charge again.
        horizon=timedelta(hours=20),
        costs=MappingProxyType(
            {"USD": (29_000, 30), "EUR": (29_000, 25), "GBP": (29_000, 20), "*": (39_000, 0)}
        ),
        moves_real_money=True,
    )
    callback_headers = frozenset({callbacks.SIGNATURE})

    def __init__(self, account: Account, context: Context) -> None:
        super().__init__(account, context)
        self._client = make_client(self.account, context)

    def read_callback(self, callback: Callback) -> CallbackEvent:
        return callbacks.read(callback, self.account)

    def _check_amount(self, amount: Money) -> None:
        to_wire(amount)

    def _charge(self, request: ChargeRequest) -> ProviderResult:
        if request.saved_details is not None:
            return self._charge_saved(request, request.saved_details[saved_cards.METHOD])
        return self._open_session(request) if self._is_hosted() else self._create_intent(request)

    def _is_hosted(self) -> bool:
        return self.account["flow"] != Flow.INTENT

    def _open_session(self, request: ChargeRequest) -> ProviderResult:
        tags = _tags(request, Flow.HOSTED)
        params: SessionCreateParams = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": request.amount.currency.lower(),
                        "unit_amount": to_wire(request.amount),
                        "product_data": {"name": request.description},
                    },
                }
            ],
            "success_url": request.return_url,
            "cancel_url": request.return_url,
            "client_reference_id": request.reference,
            "metadata": tags,
            # A session's metadata is not copied to its PaymentIntent.
            "payment_intent_data": {"metadata": tags},
        }
        if request.customer.email:
            params["customer_email"] = request.customer.email
        if request.is_method_kept:
            # Without a customer of Stripe's the card could not be charged again.
            params["customer_creation"] = "always"
            params["payment_intent_data"]["setup_future_usage"] = "off_session"
        sessions = self._client.v1.checkout.sessions
        made = call(lambda: sessions.create(params, {"idempotency_key": request.reference}))
        result = statuses.session_result(self._own(made))
        if result.state is State.PENDING and not result.payment_url:
            raise OutcomeUnknown("Stripe's answer has no payment page.")
        return result

    def _create_intent(self, request: ChargeRequest) -> ProviderResult:
        method = request.metadata.get("payment_method")
        is_confirmed = isinstance(method, str) and bool(method)
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": to_wire(request.amount),
            "currency": request.amount.currency.lower(),
            "automatic_payment_methods": {"enabled": True},
            "description": request.description,
            "metadata": _tags(request, Flow.CONFIRMED if is_confirmed else Flow.INTENT),
        }
        if request.customer.email:
            params["receipt_email"] = request.customer.email
        if is_confirmed:
            # The customer is not on a page now, so methods that need a redirect are left out.
            params["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
            params["payment_method"] = str(method)
            params["confirm"] = True
        if request.is_method_kept:
            params["customer"] = saved_cards.new_customer(self._client, request)
            params["setup_future_usage"] = "off_session"
        return self._made(params, request.reference)

    def _charge_saved(self, request: ChargeRequest, method_id: str) -> ProviderResult:
        """Charge the card while its holder is not on a page: a bank that wants to see the holder declines."""
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": to_wire(request.amount),
            "currency": request.amount.currency.lower(),
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "description": request.description,
            "metadata": _tags(request, Flow.CONFIRMED),
            "payment_method": method_id,
            "confirm": True,
            "off_session": True,
        }
        if request.customer.email:
            params["receipt_email"] = request.customer.email
        customer = saved_cards.customer_of(self._client, method_id)
        if customer is not None:
            params["customer"] = customer
        return self._made(params, request.reference)

    def _made(self, params: stripe.params.PaymentIntentCreateParams, reference: str) -> ProviderResult:
        intents = self._client.v1.payment_intents
        intent = self._own(call(lambda: intents.create(params, {"idempotency_key": reference})))
        result = statuses.intent_result(intent)
        secret = intent.get("client_secret")
        if result.state is State.PENDING and isinstance(secret, str):
            # Meant for the customer's browser: it can pay this charge and nothing else.
            result = replace(result, response={**result.response, "client_secret": secret})
        return result

    def _inquire(self, charge: ChargeReference) -> ProviderResult:
        known = charge.provider_reference or lookup.find_charge(
            self._client, charge, is_hosted=self._is_hosted() and not charge.is_unattended
        )
        if known is None:
            return ProviderResult(State.NOT_FOUND)
        return self._session(known) if known.startswith(SESSION) else self._intent(known)

    def _session(self, identity: str) -> ProviderResult:
        session = self._own(call(lambda: self._client.v1.checkout.sessions.retrieve(identity)))
        result = statuses.session_result(session)
        if result.state is State.IN_TRANSIT and result.receipt:
            return statuses.finished_session_result(result, self._intent(result.receipt))
        return result

    def _intent(self, identity: str) -> ProviderResult:
        intent = call(lambda: self._client.v1.payment_intents.retrieve(identity))
        return statuses.intent_result(self._own(intent))

    def _method_paid_with(self, charge: ChargeReference, customer: Customer) -> Mapping[str, str] | None:
        intent_id = self._payment_intent_of(charge)
        intent = self._own(call(lambda: self._client.v1.payment_intents.retrieve(intent_id)))
        return saved_cards.method_of(self._client, intent)

    def _own(self, thing: dict[str, Any]) -> dict[str, Any]:
        """`thing`, a session or a PaymentIntent, where it is of this account's environment. Raises WrongEnvironment.

        Refunds have no `livemode`; the PaymentIntent they name was checked when it was paid.
        """
        require_same(
            self.account,
            statuses.environment_of(thing),
            is_always_reported=True,
            response=statuses.picked(thing, "id", "livemode"),
        )
        return thing

    def _cancel(self, charge: ChargeReference) -> ProviderResult:
        found = self._ask(charge)
        known = found.provider_reference
        if found.state is not State.PENDING or known is None:
            return found
        try:
            if known.startswith(SESSION):
                expired = call(lambda: self._client.v1.checkout.sessions.expire(known))
                # The same word as a session that ran out of time; this one was cancelled.
                result = statuses.session_result(self._own(expired))
                return replace(result, state=State.CANCELLED, code=None, message=None)
            cancelled = call(lambda: self._client.v1.payment_intents.cancel(known))
            return statuses.intent_result(self._own(cancelled))
        except RequestRejected:
            # It was paid, or ended, a moment ago: too late to cancel.
            return self._ask(charge)

    def _refund(self, request: RefundRequest) -> ProviderResult:
        params: RefundCreateParams = {
            "payment_intent": self._payment_intent_of(request.charge),
            "amount": to_wire(request.amount),
            "metadata": {"reference": request.reference, "reason": request.reason[:MAX_METADATA]},
        }
        reason = next((known for known in REASONS if known == request.reason), None)
        if reason is not None:
            params["reason"] = reason
        refunds = self._client.v1.refunds
        return statuses.refund_result(
            call(lambda: refunds.create(params, {"idempotency_key": request.reference}))
        )

    def _inquire_refund(self, refund: RefundReference) -> ProviderResult:
        known = refund.provider_reference
        if known is not None:
            return statuses.refund_result(call(lambda: self._client.v1.refunds.retrieve(known)))
        found = lookup.find_refund(
            self._client, refund, payment_intent=self._payment_intent_of(refund.charge)
        )
        return statuses.refund_result(found) if found else ProviderResult(State.NOT_FOUND)

    def _refunds_of(self, charge: ChargeReference) -> list[ListedRefund]:
        found = lookup.refunds_of(self._client, payment_intent=self._payment_intent_of(charge))
        return [
            ListedRefund(statuses.refund_result(item), statuses.metadata_of(item).get("reference"))
            for item in found
        ]

    def _inquire_dispute(self, charge: ChargeReference, dispute: str) -> ReportedDispute:
        found = self._own(call(lambda: self._client.v1.disputes.retrieve(dispute)))
        about = statuses.reference_of(found.get("payment_intent"))
        if about is None or about not in (charge.receipt, charge.provider_reference):
            raise OutcomeUnknown("The dispute is about another payment.", code=OTHER_ID)
        return statuses.dispute_report(found)

    def _payment_intent_of(self, charge: ChargeReference) -> str:
        """The `pi_` refunds are made against. Raises RequestRejected when nothing was paid."""
        if charge.receipt:
            return charge.receipt
        try:
            found = self._ask(charge)
        except OutcomeUnknown as error:
            # Only a question was sent: no refund can have come of it.
            raise NotSent(error.message, code=error.code, response=error.response) from None
        if found.receipt is None:
            raise RequestRejected("Stripe has no paid payment to refund.", code="not_paid")
        return found.receipt


def _tags(request: ChargeRequest, flow: Flow) -> dict[str, str]:
    return {"reference": request.reference, "label": request.short_reference, "flow": flow.value}

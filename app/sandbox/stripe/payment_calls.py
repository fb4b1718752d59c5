"""The calls about PaymentIntents, and the checks of their parameters."""

from __future__ import annotations

from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT, Plan
from app.sandbox.store import Document
from app.sandbox.stripe import currencies, forms, objects
from app.sandbox.stripe.customers import Customers, require_usable
from app.sandbox.stripe.errors import invalid
from app.sandbox.stripe.payment_methods import PaymentMethods
from app.sandbox.stripe.payments import PAYABLE, Intents, require_status

CREATE: Final = (
    "amount",
    "currency",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "confirmation_method",
    "customer",
    "description",
    "error_on_requires_action",
    "mandate",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_options",
    "payment_method_types",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
    "use_stripe_sdk",
)
UPDATE: Final = (
    "amount",
    "currency",
    "capture_method",
    "customer",
    "description",
    "metadata",
    "payment_method",
    "payment_method_options",
    "payment_method_types",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
CONFIRM: Final = (
    "capture_method",
    "client_secret",
    "error_on_requires_action",
    "mandate",
    "off_session",
    "payment_method",
    "payment_method_options",
    "payment_method_types",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "use_stripe_sdk",
)
REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
CAPTURE_METHODS: Final = ("automatic", "automatic_async", "manual")
TEXTS: Final = {
    # parameter → its maximum length
    "customer": 255,
    "description": 1000,
    "setup_future_usage": 20,
    "statement_descriptor": 22,
    "statement_descriptor_suffix": 22,
    "transfer_group": 255,
}
RETURN_URL_NEEDED: Final = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment "
    "methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept "
    "redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)


class IntentCalls:
    """The calls under `/v1/payment_intents`."""

    def __init__(
        self, sandbox: Sandbox, intents: Intents, methods: PaymentMethods, customers: Customers
    ) -> None:
        self._sandbox, self._intents, self._methods, self._customers = sandbox, intents, methods, customers

    def create(self, request: ApiRequest) -> Document:
        """`POST /v1/payment_intents`. Raises 400, and 402 when it is confirmed at once and declined."""
        params, plan = request.body, request.plan
        forms.allow(params, *CREATE)
        amount, currency = _amount(params)
        is_confirmed = forms.boolean(params, "confirm")
        return_url = forms.url(params, "return_url")
        if return_url is not None and not is_confirmed:
            raise invalid("`return_url` can only be given when `confirm` is true.", param="return_url")
        is_off_session = forms.boolean(params, "off_session")
        if is_off_session and not is_confirmed:
            raise invalid("`off_session` can only be given when `confirm` is true.", param="off_session")
        self._customers.require(forms.text(params, "customer"))
        metadata = forms.merged({}, forms.metadata(params))
        document = objects.payment_intent(
            amount=amount,
            currency=currency,
            created=int(self._sandbox.now().timestamp()),
            automatic_payment_methods=_automatic(params),
            capture_method=forms.choice(params, "capture_method", CAPTURE_METHODS, "automatic_async"),
            confirmation_method=forms.choice(
                params, "confirmation_method", ("automatic", "manual"), "automatic"
            ),
            metadata=metadata,
            payment_method_types=_types(params),
            shipping=forms.branch(params, "shipping") or None,
            _is_off_session=is_off_session,
            _plan=plan.to_json(),
            _reference=metadata.get("reference", ""),
            _return_url=return_url,
            _session=None,
            receipt_email=forms.email(params, "receipt_email"),
            **{name: forms.text(params, name, longest=longest) for name, longest in TEXTS.items()},
        )
        if is_confirmed:
            _require_return_url(document, return_url)
        self._use_method(document, params)
        self._intents.insert(document)
        return self._intents.confirm(document["id"], plan) if is_confirmed else document

    def update(self, request: ApiRequest, id: str) -> Document:
        """`POST /v1/payment_intents/{id}`. Raises 400."""
        params = request.body
        forms.allow(params, *UPDATE)
        self._intents.get(id)

        def change(intent: Document) -> Document:
            if set(params) - {"metadata", "description", "expand"}:
                require_status(intent, PAYABLE, "update")
            if "amount" in params or "currency" in params:
                intent["amount"], intent["currency"] = _amount(
                    {"amount": str(intent["amount"]), "currency": intent["currency"], **params}
                )
            intent["metadata"] = forms.merged(intent["metadata"], forms.metadata(params))
            for name, longest in TEXTS.items():
                if name in params:
                    intent[name] = forms.text(params, name, longest=longest)
            if "receipt_email" in params:
                intent["receipt_email"] = forms.email(params, "receipt_email")
            if "capture_method" in params:
                intent["capture_method"] = forms.choice(
                    params, "capture_method", CAPTURE_METHODS, "automatic"
                )
            self._use_method(intent, params)
            return dict(intent)

        return self._sandbox.store.update("stripe", "payment_intent", id, change)

    def confirm(self, request: ApiRequest, id: str) -> Document:
        """`POST …/confirm`. Raises 400 and 402."""
        params, plan = request.body, request.plan
        forms.allow(params, *CONFIRM)
        return_url = forms.url(params, "return_url")
        self._intents.get(id)

        def change(intent: Document) -> Plan:
            require_status(intent, PAYABLE, "confirm")
            _require_return_url(intent, return_url or intent["_return_url"])
            intent["_return_url"] = return_url or intent["_return_url"]
            if plan != NO_FAULT:
                intent["_plan"] = plan.to_json()
            intent["_is_off_session"] = forms.boolean(params, "off_session")
            self._use_method(intent, params)
            return Plan.from_json(intent["_plan"])

        return self._intents.confirm(id, self._sandbox.store.update("stripe", "payment_intent", id, change))

    def capture(self, request: ApiRequest, id: str) -> Document:
        """`POST …/capture`. Raises 400."""
        params = request.body
        forms.allow(
            params, "amount_to_capture", "metadata", "statement_descriptor", "statement_descriptor_suffix"
        )
        return self._intents.capture(id, amount=forms.integer(params, "amount_to_capture"))

    def cancel(self, request: ApiRequest, id: str) -> Document:
        """`POST …/cancel`. Raises 400."""
        params = request.body
        forms.allow(params, "cancellation_reason")
        return self._intents.cancel(id, reason=forms.choice(params, "cancellation_reason", REASONS, None))

    def _use_method(self, intent: Document, params: forms.Params) -> None:
        id = forms.text(params, "payment_method")
        if id is None:
            return
        method = self._methods.resolve(id)[0]
        require_usable(method, intent["customer"])
        intent["payment_method"] = method["id"]
        if intent["status"] == "requires_payment_method":
            intent["status"] = "requires_confirmation"


def _amount(params: forms.Params) -> tuple[int, str]:
    forms.required(params, "amount")
    amount = forms.integer(params, "amount")
    currency = currencies.supported(forms.required(params, "currency"))
    assert amount is not None
    currencies.check(amount, currency)
    return amount, currency


def _types(params: forms.Params) -> list[str]:
    types = forms.words(params, "payment_method_types")
    if set(types) - {"card"}:
        raise invalid(
            "The payment method type provided is invalid. This account takes card.",
            param="payment_method_types",
        )
    return types or ["card"]


def _automatic(params: forms.Params) -> Document | None:
    """Automatic payment methods are on by default, unless types are given (since API version 2023-08-16)."""
    if "payment_method_types" in params:
        if "automatic_payment_methods" in params:
            raise invalid(
                "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
                param="payment_method_types",
            )
        return None
    fields = forms.branch(params, "automatic_payment_methods")
    if fields and not forms.boolean(fields, "enabled"):
        return None
    allowed = forms.choice(fields, "allow_redirects", ("always", "never"), "always")
    return {"enabled": True, "allow_redirects": allowed}


def _require_return_url(intent: Document, return_url: str | None) -> None:
    automatic = intent["automatic_payment_methods"]
    if automatic is not None and automatic["allow_redirects"] == "always" and return_url is None:
        raise invalid(RETURN_URL_NEEDED, param="return_url")

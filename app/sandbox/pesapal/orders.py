"""Orders: the parameters of SubmitOrderRequest, and the document of a new order."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.http import is_web_address
from app.sandbox.pesapal.callbacks import Callbacks
from app.sandbox.pesapal.errors import ApiError
from app.sandbox.pesapal.payments import Payments
from app.sandbox.pesapal.replies import milliseconds
from app.sandbox.store import Document

CURRENCIES: Final = frozenset(("EUR", "GBP", "KES", "MWK", "RWF", "TZS", "UGX", "USD", "ZMW", "ZWL"))
MAX_ID, MAX_DESCRIPTION, MAX_STATE = 50, 100, 3
REDIRECT_MODES: Final = ("TOP_WINDOW", "PARENT_WINDOW")
_ID: Final = re.compile(r"^[A-Za-z0-9\-_.:]+$")
_EMAIL: Final = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_PHONE: Final = re.compile(r"^\+?[0-9]{9,15}$")
_NUMBER: Final = re.compile(r"^[0-9]{1,13}(\.[0-9]{1,2})?$")
_COUNTRY: Final = re.compile(r"^[A-Z]{2}$")


class Orders:
    """New orders."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks, payments: Payments) -> None:
        self._sandbox, self._callbacks, self._payments = sandbox, callbacks, payments

    def submit(self, request: ApiRequest) -> Document:
        """`POST /api/Transactions/SubmitOrderRequest`: a page to send the customer to."""
        order = self._document(request.body, request.plan)
        known = self._insert(order)
        if known is None:
            self._payments.begin(order)
        order = known or order
        names = ("order_tracking_id", "merchant_reference", "redirect_url")
        return {name: order[name] for name in names} | {"error": None, "status": "200"}

    def _insert(self, order: Document) -> Document | None:
        """Store it. The order of an earlier request with this `id`, which the answer then names again: so clients recorded it,
        five times; no document says it."""
        store, reference, tracking_id = (
            self._sandbox.store,
            order["merchant_reference"],
            order["order_tracking_id"],
        )
        with self._sandbox.database.transaction():
            if store.insert("pesapal", "merchant_reference", reference, {"order": tracking_id}):
                store.insert("pesapal", "order", tracking_id, order)
                return None
            first = store.get("pesapal", "merchant_reference", reference)
            return store.get("pesapal", "order", first["order"]) if first else None

    def _document(self, body: Document, plan: Plan) -> Document:
        reference = _merchant_reference(body)
        amount = amount_of(body)
        currency = _required(body, "currency")
        if currency not in CURRENCIES:
            raise ApiError("invalid_currency", f"The currency {currency} is not supported.")
        description = _required(body, "description")
        if len(description) > MAX_DESCRIPTION:
            raise ApiError(
                "invalid_description", f"The description must be at most {MAX_DESCRIPTION} characters."
            )
        if not self._callbacks.is_registered(body.get("notification_id")):
            raise ApiError("InvalidIpnId", "The notification_id is not a registered IPN.")
        mode = body.get("redirect_mode") or REDIRECT_MODES[0]
        if mode not in REDIRECT_MODES:
            raise ApiError(
                "invalid_redirect_mode", f"The redirect_mode must be {' or '.join(REDIRECT_MODES)}."
            )
        if body.get("subscription_details") is not None:
            raise ApiError(
                "invalid_subscription_details", "This sandbox takes single payments, no subscriptions."
            )
        tracking_id = str(uuid.uuid4())
        return {
            "order_tracking_id": tracking_id,
            "merchant_reference": reference,
            "redirect_url": f"{self._sandbox.settings.public_url}/pesapal/iframe/{tracking_id}",
            "state": "PENDING",
            "amount": str(amount),
            "currency": currency,
            "description": description,
            "callback_url": _address(body, "callback_url", is_required=True),
            "cancellation_url": _address(body, "cancellation_url", is_required=False),
            "redirect_mode": mode,
            "notification_id": body["notification_id"],
            "billing_address": _billing_address(body),
            "created_date": milliseconds(self._sandbox.now()),
            "payment_method": "",
            "payment_account": "",
            "confirmation_code": "",
            "failure_code": "",
            "failure": "",
            "_plan": plan.to_json(),
        }


def _merchant_reference(body: Document) -> str:
    reference = _required(body, "id")
    if len(reference) > MAX_ID or not _ID.match(reference):
        raise ApiError(
            "invalid_merchant_reference",
            f"The id must be at most {MAX_ID} letters, digits, dashes, underscores, full stops and colons.",
        )
    return reference


def amount_of(body: Document, *, may_be_text: bool = False) -> Decimal:
    """A JSON number above zero with at most two decimals. Raises ApiError."""
    value = body.get("amount")
    if may_be_text and isinstance(value, str) and _NUMBER.match(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ApiError("invalid_amount", "The amount must be a number.")
    amount = Decimal(value)
    if not amount.is_finite() or amount <= 0 or amount.adjusted() > 12:
        raise ApiError("invalid_amount", "The amount must be greater than zero.")
    if amount != round(amount, 2):
        raise ApiError("invalid_amount", "The amount must have at most two decimals.")
    return round(amount, 2)


def _required(body: Document, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ApiError(f"missing_{name}", f"The {name} is required.")
    return value


def _address(body: Document, name: str, *, is_required: bool) -> str | None:
    value = body.get(name)
    if value in (None, "") and not is_required:
        return None
    if not isinstance(value, str) or not is_web_address(value):
        raise ApiError(f"invalid_{name}", f"The {name} must be a valid web address.")
    return value


def _billing_address(body: Document) -> dict[str, Any]:
    """The billing address, with at least an e-mail address or a phone number."""
    address = body.get("billing_address")
    if not isinstance(address, dict):
        raise ApiError("missing_billing_address", "The billing_address is required.")
    email, phone = address.get("email_address") or "", address.get("phone_number") or ""
    if not email and not phone:
        raise ApiError(
            "invalid_billing_address", "The billing_address needs an email_address or a phone_number."
        )
    if email and not _EMAIL.match(str(email)):
        raise ApiError("invalid_email_address", "The email_address is not valid.")
    if phone and not _PHONE.match(str(phone)):
        raise ApiError("invalid_phone_number", "The phone_number is not valid.")
    country = address.get("country_code")
    if country and not _COUNTRY.match(str(country)):
        raise ApiError("invalid_country_code", "The country_code must have two letters.")
    if len(str(address.get("state") or "")) > MAX_STATE:
        raise ApiError("invalid_state", f"The state must be at most {MAX_STATE} characters.")
    return address

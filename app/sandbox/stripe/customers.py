"""Stripe's customers, who keep cards: a card of a customer can be charged again, one of none can be used once."""

from __future__ import annotations

from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.store import Document
from app.sandbox.stripe import forms
from app.sandbox.stripe.errors import missing, refused
from app.sandbox.stripe.objects import new_id

CREATE: Final = ("description", "email", "metadata", "name", "phone")

USED_ONCE: Final = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected "
    "account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod "
    "multiple times, you must attach it to a Customer first."
)
CUSTOMER_NEEDED: Final = (
    "The payment method you provided is attached to a customer so for security purposes you must provide the customer in the "
    "request."
)


class Customers:
    """The account's customers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def create(self, request: ApiRequest) -> Document:
        """`POST /v1/customers`."""
        params = request.body
        forms.allow(params, *CREATE)
        texts = {name: forms.text(params, name) for name in ("description", "name", "phone")}
        metadata = forms.merged({}, forms.metadata(params))
        return self.add(forms.email(params, "email"), metadata=metadata, **texts)

    def add(self, email: str | None, **more: object) -> Document:
        """A new customer."""
        document: Document = {
            "id": new_id("cus", length=14),
            "object": "customer",
            "created": int(self._sandbox.now().timestamp()),
            "description": None,
            "email": email,
            "livemode": False,
            "metadata": {},
            "name": None,
            "phone": None,
            **more,
        }
        self._sandbox.store.insert("stripe", "customer", document["id"], document)
        return document

    def get(self, id: str) -> Document:
        """The customer. Raises 404."""
        found = self._sandbox.store.get("stripe", "customer", id)
        if found is None:
            raise missing("customer", id)
        return found

    def require(self, id: str | None) -> None:
        """Raises 400 for a customer that a request names and that does not exist."""
        if id is not None and self._sandbox.store.get("stripe", "customer", id) is None:
            raise missing("customer", id, param="customer", status=400)


def require_usable(method: Document, customer: str | None) -> None:
    """Raises 400 when a payment of this customer (None: of none) may not be made with the payment method."""
    owner = method["customer"]
    if owner is None and method["_is_used"]:
        raise refused(USED_ONCE, param="payment_method")
    if owner is not None and customer is None:
        raise refused(CUSTOMER_NEEDED, param="customer")
    if owner is not None and owner != customer:
        raise refused(
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must be attached to "
            "the customer.",
            param="payment_method",
        )

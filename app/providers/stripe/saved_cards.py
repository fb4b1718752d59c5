"""Cards that are charged again: a card is kept by a customer of Stripe's, and charged with that customer's id alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import stripe
from stripe.params import CustomerCreateParams

from app.providers.base import ChargeRequest, SavedMethod
from app.providers.errors import NotSent, OutcomeUnknown
from app.providers.saved_methods import last4_of
from app.providers.stripe.client import call
from app.providers.stripe.statuses import reference_of

METHOD: Final = "payment_method_id"
SAVED_METHOD: Final = SavedMethod((METHOD,), ("last4", "brand"), (METHOD,))


def customer_of(client: stripe.StripeClient, method_id: str) -> str | None:
    """The customer of Stripe's that the card is attached to; None: none.

    Asked before a charge, so that no failure leaves the charge unknown. Raises NotSent, RequestRejected.
    """
    return reference_of(_before(lambda: client.v1.payment_methods.retrieve(method_id)).get("customer"))


def new_customer(client: stripe.StripeClient, request: ChargeRequest) -> str:
    """A customer of Stripe's who will keep the card that this charge is paid with. The same request makes the same one.

    Raises NotSent, RequestRejected.
    """
    params: CustomerCreateParams = {"metadata": {"reference": request.reference}}
    if request.customer.email:
        params["email"] = request.customer.email
    key = f"{request.reference}-customer"
    made = _before(lambda: client.v1.customers.create(params, {"idempotency_key": key}))
    identity = made.get("id")
    if not isinstance(identity, str):
        raise NotSent("Stripe's answer has no customer.")
    return identity


def method_of(client: stripe.StripeClient, intent: Mapping[str, Any]) -> dict[str, str] | None:
    """The card a PaymentIntent was paid with; None: it is no card, or it may not be used again without a customer of Stripe's."""
    method_id = reference_of(intent.get("payment_method"))
    if method_id is None:
        return None
    method = call(lambda: client.v1.payment_methods.retrieve(method_id))
    card = method.get("card")
    if not isinstance(card, Mapping) or reference_of(method.get("customer")) is None:
        return None
    brand = card.get("brand")
    return {METHOD: method_id, **last4_of(card.get("last4"))} | (
        {"brand": brand} if isinstance(brand, str) and brand else {}
    )


def _before(work: Callable[[], stripe.StripeObject]) -> dict[str, Any]:
    """What precedes a charge: when its answer is lost, nothing was charged."""
    try:
        return call(work)
    except OutcomeUnknown as error:
        raise NotSent(error.message, code=error.code, response=error.response) from None

"""Paystack's transactions: what is sent to make one, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.money import Money
from app.providers.base import Account, ChargeRequest, ProviderResult, SavedMethod, State
from app.providers.errors import OutcomeUnknown, RequestRejected
from app.providers.facts import facts
from app.providers.paystack.amounts import SUBUNITS, collected, to_subunits
from app.providers.paystack.statuses import CHARGES, FAILED_TRY
from app.providers.replies import state_of, word
from app.providers.saved_methods import last4_of

TITLE: Final = "Paystack"
CODE: Final = "authorization_code"

EMAIL: Final = "email"
"""Of the customer who saved the card: Paystack charges an authorization with the e-mail address of its first payment only."""

SAVED_METHOD: Final = SavedMethod((CODE,), ("last4", "bank", EMAIL), (CODE,))

_FACTS: Final = (
    "id",
    "status",
    "reference",
    "amount",
    "requested_amount",
    "fees",
    "currency",
    "channel",
    "gateway_response",
    "paid_at",
    "created_at",
)


def initialize_body(account: Account, request: ChargeRequest) -> dict[str, Any]:
    """`callback_url` is where the customer's *browser* returns to; webhooks go to the dashboard's URL."""
    channels = [name for part in account["channels"].split(",") if (name := part.strip())]
    body = _body(account, request) | {
        "callback_url": request.return_url,
        # Without it a customer who cancels is sent nowhere.
        "metadata": {"cancel_action": request.return_url},
    }
    return body | ({"channels": channels} if channels else {})


def authorization_body(
    account: Account, request: ChargeRequest, details: Mapping[str, str]
) -> dict[str, Any]:
    """A saved card is charged without a page."""
    return _body(account, request) | {CODE: details[CODE]}


def _body(account: Account, request: ChargeRequest) -> dict[str, Any]:
    return {
        "email": request.customer.email or account["fallback_email"],
        "amount": subunits(request.amount),
        "currency": request.amount.currency,
        "reference": request.reference,
    }


def subunits(amount: Money) -> int:
    """Raises RequestRejected: Paystack does not take the currency."""
    if amount.currency not in SUBUNITS:
        raise RequestRejected(f"Paystack does not take {amount.currency}.", code="currency")
    return to_subunits(amount)


def page_result(data: Mapping[str, Any], reference: str) -> ProviderResult:
    """The customer is sent to a page: to pay, or where the bank asks who uses a saved card. Raises OutcomeUnknown."""
    url = data.get("authorization_url")
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise OutcomeUnknown("Paystack's answer holds no authorization_url.", code="incomplete")
    return ProviderResult(
        State.PENDING,
        provider_reference=reference,
        payment_url=url,
        response=facts(data, "reference", "access_code"),
    )


def result(data: Mapping[str, Any], reference: str, *, is_unattended: bool) -> ProviderResult:
    """Where a transaction stands. is_unattended: no page takes another card, so that a failed try is the end.

    Raises OutcomeUnknown, UnclearAnswer.
    """
    state = state_of(CHARGES, data.get("status"), provider=TITLE)
    amount, receipt = collected(data), word(data, "id")
    if state is State.SUCCEEDED and (amount is None or receipt is None):
        raise OutcomeUnknown(
            "Paystack says success without an amount or an id.",
            code="incomplete",
            response=facts(data, *_FACTS),
        )
    has_failed_try = (word(data, "status") or "").lower() == FAILED_TRY
    if has_failed_try and is_unattended:
        state = State.FAILED
    return ProviderResult(
        state,
        provider_reference=reference,
        receipt=receipt if state in (State.SUCCEEDED, State.REVERSED) else None,
        amount=amount,
        code=FAILED_TRY if has_failed_try else None,
        message=(word(data, "gateway_response") or "Paystack says that the payment failed.")
        if has_failed_try
        else None,
        has_failed_try=has_failed_try and not is_unattended,
        response=facts(data, *_FACTS),
    )


def reusable_method(data: Mapping[str, Any]) -> dict[str, str] | None:
    """The card of a paid transaction, as it is saved; None: Paystack does not let it be charged again."""
    card, customer = data.get("authorization"), data.get("customer")
    if not isinstance(card, Mapping) or card.get("reusable") is not True:
        return None
    code = word(card, CODE)
    if code is None:
        return None
    email = word(customer, EMAIL) if isinstance(customer, Mapping) else None
    more = {"bank": word(card, "bank"), EMAIL: email} | last4_of(word(card, "last4"))
    return {CODE: code} | {name: value for name, value in more.items() if value}

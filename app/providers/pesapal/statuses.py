"""What Pesapal's answers about an order mean here. A status code that is not in the table raises UnclearAnswer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from app.errors import InvalidRequest as NotMoney
from app.money import Money
from app.providers.base import ProviderResult, State
from app.providers.errors import OutcomeUnknown, UnclearAnswer
from app.providers.pesapal.client import Reply
from app.providers.saved_methods import last4_of

FAILED_TRY: Final = "2"
"""FAILED: a try to pay has failed, and the page takes another until the order is cancelled."""

STATES: Final = {
    "0": State.PENDING,  # INVALID: not paid, or not known yet
    "1": State.SUCCEEDED,
    FAILED_TRY: State.PENDING,
    "3": State.REFUNDED,  # "reversed": also reported after the refund of a part
}
"""status_code, as text: its type is not promised. The words beside it vary in case."""

NOT_PAID_YET: Final = "payment_details_not_found"
PENDING_PAYMENT: Final = "pending payment"
"""An order that is not paid yet is answered as an error with this code or message."""

FACTS: Final = (
    "payment_method", "payment_status_description", "description", "status_code", "confirmation_code", "amount",
    "currency", "created_date", "merchant_reference",
)  # fmt: skip

SHOWN: Final = 4
"""Last characters of the payer's card or phone that are kept."""


def payment_result(reply: Reply, *, tracking_id: str, reference: str) -> ProviderResult:
    """Where the order stands. Raises OutcomeUnknown, also when the answer is about another order than `reference`."""
    if not reply.is_ok:
        if reply.code == NOT_PAID_YET or reply.message.strip().lower() == PENDING_PAYMENT:
            # Also the answer about an invented id: it does not prove that the order is ours.
            return ProviderResult(State.PENDING, response=reply.facts())
        raise OutcomeUnknown(
            "Pesapal does not report the state of this payment.",
            code=reply.code or None,
            response=reply.facts(),
        )
    body = reply.body
    code = str(body.get("status_code"))
    state = STATES.get(code)
    if state is None:
        raise UnclearAnswer("Pesapal's answer has a status code this gateway does not know.", code=code)
    # An order that is not paid yet may come without its reference; an outcome that moves money may not.
    named = body.get("merchant_reference") or (reference if state is State.PENDING else None)
    if named != reference:
        raise OutcomeUnknown("Pesapal's answer is about another order.", code="merchant_reference")
    amount = _amount(body)
    if amount is None and state is State.SUCCEEDED:
        raise OutcomeUnknown("Pesapal's answer has no readable amount.", code="amount")
    has_failed_try = code == FAILED_TRY
    return ProviderResult(
        state,
        provider_reference=tracking_id if body.get("merchant_reference") == reference else None,
        receipt=_confirmation_code(body) if state in (State.SUCCEEDED, State.REFUNDED) else None,
        amount=amount,
        code=_word(body.get("payment_status_description")) if has_failed_try else None,
        message=_sentence(body.get("description")) if has_failed_try else None,
        has_failed_try=has_failed_try,
        response=facts(body),
    )


def payer_of(reply: Reply, *, reference: str) -> dict[str, str] | None:
    """What a paid order was paid with, to be shown to the customer the next time; None: Pesapal does not say."""
    body = reply.body if reply.is_ok else {}
    method = body.get("payment_method")
    if body.get("merchant_reference") != reference or not isinstance(method, str) or not method.strip():
        return None
    return {"payment_method": method.strip()} | last4_of(body.get("payment_account"))


def facts(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is worth keeping of a status answer; the payer's account only by its end."""
    found = {name: _plain(body.get(name)) for name in FACTS}
    account = body.get("payment_account")
    if isinstance(account, str) and account:
        found["payment_account"] = "…" + account[-SHOWN:]
    return {name: value for name, value in found.items() if value not in (None, "")}


def _amount(body: Mapping[str, Any]) -> Money | None:
    currency = body.get("currency")
    try:
        return Money.parse(body.get("amount"), currency) if isinstance(currency, str) else None
    except NotMoney:
        return None


def _confirmation_code(body: Mapping[str, Any]) -> str | None:
    code = body.get("confirmation_code")
    return code if isinstance(code, str) and code else None


def _plain(value: object) -> str | int | None:
    if isinstance(value, Decimal):
        return str(value)
    return value if isinstance(value, (str, int)) else None


def _word(value: object) -> str:
    return value.strip().lower().replace(" ", "_") if isinstance(value, str) and value.strip() else "failed"


def _sentence(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None

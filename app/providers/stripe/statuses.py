"""What Stripe's status words mean here. A word that is not in a table raises UnclearAnswer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final

from app.providers.base import DisputeStatus, ProviderResult, ReportedDispute, State
from app.providers.environments import LIVE, SANDBOX, UNREADABLE
from app.providers.errors import UnclearAnswer
from app.providers.stripe.amounts import from_wire

REQUIRES_METHOD: Final = "requires_payment_method"
"""Before the first card, and again after a declined one."""

INTENTS: Final = {
    REQUIRES_METHOD: State.PENDING,
    "requires_confirmation": State.PENDING,
    "requires_action": State.PENDING,
    "requires_capture": State.PENDING,
    # A bank debit: the customer has confirmed it, and it takes days.
    "processing": State.IN_TRANSIT,
    "succeeded": State.SUCCEEDED,
    "canceled": State.CANCELLED,
}

SESSIONS: Final = {
    ("open", "unpaid"): State.PENDING,
    ("complete", "paid"): State.SUCCEEDED,
    # Delayed methods: the customer has finished, the money is on its way, or has failed to come.
    ("complete", "unpaid"): State.IN_TRANSIT,
    ("expired", "unpaid"): State.CANCELLED,
}
"""(status, payment_status). Nothing here asks for nothing, so `no_payment_required` is not one of them."""

REFUNDS: Final = {
    "pending": State.PENDING,
    "requires_action": State.PENDING,
    "succeeded": State.SUCCEEDED,
    "failed": State.FAILED,
    "canceled": State.CANCELLED,
}


DISPUTES: Final = {
    # Inquiries: the bank asks, and Stripe withdraws nothing.
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY,
    "warning_closed": DisputeStatus.CLOSED,
    "needs_response": DisputeStatus.OPEN,
    "under_review": DisputeStatus.OPEN,
    # After a loss: the money stays withdrawn, and the dispute lost, until the appeal is won.
    "appeal_needs_response": DisputeStatus.OPEN,
    "appeal_under_review": DisputeStatus.OPEN,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    # It ended by a refund, which Stripe lists among the charge's refunds: older API versions; newer ones.
    "charge_refunded": DisputeStatus.CLOSED,
    "prevented": DisputeStatus.CLOSED,
}


class Flow(StrEnum):
    """How a charge was made; kept in its metadata, because the account's setting may change meanwhile."""

    HOSTED = "hosted"
    INTENT = "intent"
    CONFIRMED = "confirmed"


def session_result(session: Mapping[str, Any]) -> ProviderResult:
    """A Checkout Session. Raises UnclearAnswer."""
    word = (_text(session, "status"), _text(session, "payment_status"))
    state = SESSIONS.get((word[0] or "", word[1] or ""))
    identity = _text(session, "id")
    if state is None or identity is None:
        raise UnclearAnswer("Stripe's answer has no known session status.", code="/".join(map(str, word)))
    # By its own time or on our word: either way it can no longer be paid.
    is_expired = state is State.CANCELLED
    return ProviderResult(
        state,
        provider_reference=identity,
        receipt=reference_of(session.get("payment_intent")),
        amount=from_wire(session.get("amount_total"), session.get("currency")),
        payment_url=_text(session, "url") if state is State.PENDING else None,
        code="expired" if is_expired else None,
        message="The customer did not pay in time." if is_expired else None,
        response=picked(session, "id", "status", "payment_status", "amount_total", "currency", "livemode"),
    )


def intent_result(intent: Mapping[str, Any]) -> ProviderResult:
    """A PaymentIntent. Raises UnclearAnswer.

    A declined card fails the charge only where the gateway itself confirmed: a customer in front of a page may try
    another card.
    """
    word, identity = _text(intent, "status"), _text(intent, "id")
    state = INTENTS.get(word or "")
    if state is None or identity is None:
        raise UnclearAnswer("Stripe's answer has no known payment status.", code=word)
    error = intent.get("last_payment_error")
    code, message = (None, None)
    if word == REQUIRES_METHOD and isinstance(error, Mapping):
        code = _text(error, "decline_code") or _text(error, "code")
        message = _text(error, "message")
        if flow_of(intent) is Flow.CONFIRMED:
            state = State.FAILED
    counted = "amount_received" if state is State.SUCCEEDED else "amount"
    return ProviderResult(
        state,
        provider_reference=identity,
        receipt=identity if state is State.SUCCEEDED else None,
        amount=from_wire(intent.get(counted), intent.get("currency")),
        code=code,
        message=message,
        response=picked(
            intent, "id", "status", "amount", "amount_received", "currency", "latest_charge", "livemode"
        ),
    )


def finished_session_result(session: ProviderResult, intent: ProviderResult) -> ProviderResult:
    """A complete but unpaid session by its PaymentIntent's status: the customer has left the page, so a PaymentIntent
    that waits for another card waits in vain."""
    facts = {**session.response, "payment_intent": dict(intent.response)}
    is_over = intent.response.get("status") == REQUIRES_METHOD
    return replace(
        session,
        state=State.FAILED if is_over else intent.state,
        amount=intent.amount,
        receipt=intent.provider_reference,
        code=intent.code,
        message=intent.message,
        response=facts,
    )


def refund_result(refund: Mapping[str, Any]) -> ProviderResult:
    """A Refund. Raises UnclearAnswer."""
    word, identity = _text(refund, "status"), _text(refund, "id")
    state = REFUNDS.get(word or "")
    if state is None or identity is None:
        raise UnclearAnswer("Stripe's answer has no known refund status.", code=word)
    return ProviderResult(
        state,
        provider_reference=identity,
        amount=from_wire(refund.get("amount"), refund.get("currency")),
        code=_text(refund, "failure_reason"),
        response=picked(
            refund, "id", "status", "amount", "currency", "payment_intent", "charge", "failure_reason"
        ),
    )


def dispute_report(dispute: Mapping[str, Any]) -> ReportedDispute:
    """A Dispute. Raises UnclearAnswer."""
    word, identity = _text(dispute, "status"), _text(dispute, "id")
    status = DISPUTES.get(word or "")
    if word is None or status is None or identity is None:
        raise UnclearAnswer("Stripe's answer has no known dispute status.", code=word)
    amount = from_wire(dispute.get("amount"), dispute.get("currency"))
    return ReportedDispute(identity, status, amount, word, _text(dispute, "reason"))


def reference_of(value: object) -> str | None:
    """The id behind a member that is an id, an expanded object or null."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else None


def environment_of(thing: Mapping[str, Any]) -> str | None:
    """Whether an object, or an event, is about live or test money (`livemode`); None when it does not say."""
    match thing.get("livemode"):
        case None:
            return None
        case True:
            return LIVE
        case False:
            return SANDBOX
        case _:
            return UNREADABLE


def flow_of(thing: Mapping[str, Any]) -> Flow | None:
    """The flow an object of ours was made by; None when it says nothing we know."""
    word = metadata_of(thing).get("flow")
    return Flow(word) if word in tuple(Flow) else None


def metadata_of(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's metadata; empty when it has none."""
    found = thing.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _text(thing: Mapping[str, Any], name: str) -> str | None:
    value = thing.get(name)
    return value if isinstance(value, str) else None


def picked(thing: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The plain members of that name: ids of expanded objects, nothing nested."""
    found = {name: thing.get(name) for name in names}
    plain = {
        name: reference_of(value) if isinstance(value, Mapping) else value for name, value in found.items()
    }
    return {name: value for name, value in plain.items() if isinstance(value, (str, int, bool))}

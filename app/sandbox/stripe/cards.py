"""Stripe's test cards (docs.stripe.com/testing) and their outcomes, by number and by payment method."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

Outcome = Literal["paid", "declined", "authenticate", "disputed", "inquired"]
RefundOutcome = Literal["at_once", "later", "fails_later", "waits", "returned"]
"""How a refund ends. `waits`: when a user decides. `returned`: it succeeds at once and fails a second later."""


@dataclass(frozen=True, slots=True)
class Card:
    """One test card. code, decline_code, message: of a decline. refund_outcome: of refunds to this card."""

    method: str
    number: str
    brand: str
    outcome: Outcome = "paid"
    code: str = ""
    decline_code: str = ""
    message: str = ""
    refund_outcome: RefundOutcome = "at_once"

    @property
    def last4(self) -> str:
        return self.number[-4:]


DECLINED: Final = "Your card was declined."

CARDS: Final = (
    Card("pm_card_visa", "4242424242424242", "visa"),
    Card("pm_card_mastercard", "5555555555554444", "mastercard"),
    Card("pm_card_amex", "378282246310005", "amex"),
    Card(
        "pm_card_visa_chargeDeclined", "4000000000000002", "visa",
        "declined", "card_declined", "generic_decline", DECLINED,
    ),
    Card(
        "pm_card_visa_chargeDeclinedInsufficientFunds", "4000000000009995", "visa",
        "declined", "card_declined", "insufficient_funds", "Your card has insufficient funds.",
    ),
    Card(
        "pm_card_visa_chargeDeclinedLostCard", "4000000000009987", "visa",
        "declined", "card_declined", "lost_card", DECLINED,
    ),
    Card(
        "pm_card_visa_chargeDeclinedStolenCard", "4000000000009979", "visa",
        "declined", "card_declined", "stolen_card", DECLINED,
    ),
    Card(
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", "visa",
        "declined", "card_declined", "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    Card(
        "pm_card_chargeDeclinedExpiredCard", "4000000000000069", "visa",
        "declined", "expired_card", "expired_card", "Your card has expired.",
    ),
    Card(
        "pm_card_chargeDeclinedIncorrectCvc", "4000000000000127", "visa",
        "declined", "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.",
    ),
    Card(
        "pm_card_chargeDeclinedProcessingError", "4000000000000119", "visa",
        "declined", "processing_error", "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    Card(
        "pm_card_chargeCustomerFail", "4000000000000341", "visa",
        "declined", "card_declined", "generic_decline", DECLINED,
    ),
    Card("pm_card_authenticationRequired", "4000002760003184", "visa", "authenticate"),
    Card("pm_card_threeDSecure2Required", "4000000000003220", "visa", "authenticate"),
    Card("pm_card_createDispute", "4000000000000259", "visa", "disputed"),
    Card("pm_card_createDisputeInquiry", "4000000000001976", "visa", "inquired"),
    Card("pm_card_pendingRefund", "4000000000007726", "visa", refund_outcome="later"),
    Card("pm_card_refundFail", "4000000000005126", "visa", refund_outcome="returned"),
)  # fmt: skip

BY_METHOD: Final = {card.method: card for card in CARDS}
BY_NUMBER: Final = {card.number: card for card in CARDS}

VISA: Final = BY_METHOD["pm_card_visa"]
CARDS_BY_AMOUNT: Final = {
    Decimal(7205): BY_METHOD["pm_card_createDispute"],
    Decimal(7206): BY_METHOD["pm_card_createDisputeInquiry"],
}
"""Amount, in major units, that the simulated customer pays with this card."""

AUTHENTICATE: Final = BY_METHOD["pm_card_authenticationRequired"]

CARDS_BY_OUTCOME: Final = {
    # planned outcome → the card with this outcome
    "insufficient_funds": BY_METHOD["pm_card_visa_chargeDeclinedInsufficientFunds"],
    "declined": BY_METHOD["pm_card_visa_chargeDeclined"],
    "wrong_pin": BY_METHOD["pm_card_visa_chargeDeclined"],
    "cancelled": AUTHENTICATE,
    "timed_out": AUTHENTICATE,
}


AUTHENTICATION_REQUIRED: Final = Card(
    AUTHENTICATE.method, AUTHENTICATE.number, AUTHENTICATE.brand,
    "declined", "authentication_required", "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)  # fmt: skip
"""What the bank answers about such a card when its holder is not there."""


def card_for_outcome(outcome: str | None, card: Card) -> Card:
    """`card`, or the card with the planned outcome. An outcome without a card is a decline without a reason."""
    if outcome is None or card.outcome != "paid":
        return card
    return CARDS_BY_OUTCOME.get(outcome, CARDS_BY_OUTCOME["declined"])

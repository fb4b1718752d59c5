"""Paystack's published test cards and test wallets, and the outcome of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

OTP: Final = "123456"


@dataclass(frozen=True, slots=True)
class Card:
    """One test card.

    steps: the questions that the page asks, in this order (pin, phone, otp, bank). expected: the right answers.
    refunds: how a refund to this card ends: processed, failed or needs-attention.
    """

    number: str
    cvv: str | None = None
    steps: tuple[str, ...] = ()
    expected: dict[str, str] = field(default_factory=dict)
    failure: str | None = None
    refunds: str = "processed"


CARDS: Final = {
    card.number: card
    for card in (
        Card("4084084084084081", "408"),
        Card("507850785078507812", "081", ("pin",), {"pin": "1111"}),
        Card("5060666666666666666", "123", ("pin", "otp"), {"pin": "1234", "otp": OTP}),
        Card("507850785078507804", None, ("pin", "phone", "otp"), {"pin": "0000", "otp": OTP}),
        Card("5192602720584796", None, ("bank",)),
        Card("4084080000005408", "001", failure="Declined"),
        Card("4084080000670037", "787", failure="Insufficient Funds"),
        Card("4084080000671803", refunds="failed"),
        Card("4084080000671902", refunds="needs-attention"),
    )
}
PAYING_CARD: Final = "4084084084084081"


@dataclass(frozen=True, slots=True)
class Wallet:
    """The mobile-money number of a currency that succeeds in test mode."""

    name: str
    number: str
    otp: str | None = None

    def is_number(self, typed: str) -> bool:
        """Whether `typed` is this number, in any form with the same last nine digits."""
        digits = "".join(character for character in typed if character.isdigit())
        return len(digits) >= 9 and digits[-9:] == self.number[-9:]


WALLETS: Final = {
    "KES": Wallet("M-PESA", "+254710000000"),
    "GHS": Wallet("MTN", "0551234987"),
    "XOF": Wallet("Orange", "0700000000", "1234"),
}

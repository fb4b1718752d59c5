"""A payer with a wallet."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask

from tests.support.factories import SignedInUser, make_user, make_wallet


@dataclass(frozen=True)
class Payer:
    """A payer and a payee."""

    user: SignedInUser
    wallet: str
    recipient: SignedInUser
    recipient_wallet: str

    @property
    def headers(self) -> dict[str, str]:
        return self.user.headers

    def payment_body(self, **differing: object) -> dict[str, object]:
        """A good payment order, or one that is not."""
        payment_body = {
            "amount": 1,
            "currency": "USD",
            "source_wallet_id": self.wallet,
            "destination": self.recipient_wallet,
        }
        return payment_body | differing


@pytest.fixture
def payer(app: Flask) -> Payer:
    return make_payer(app)


def make_payer(app: Flask) -> Payer:
    user, recipient = make_user(app), make_user(app)
    return Payer(user, make_wallet(app, user, balance="100.00"), recipient, make_wallet(app, recipient))

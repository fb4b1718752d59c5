"""Users of the Wallet API: the demo's users, and new ones for steps that would use up the demo users' spending limits."""

from __future__ import annotations

import secrets
import struct
import zlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import requests

from tour.client import GatewayClient, wait_until

PASSWORD: Final = "SecurePass123!"
"""Of every demo user, and of those that the tour registers."""

VERIFICATION_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user with one wallet."""

    client: GatewayClient
    email: str
    token: str
    wallet_id: str

    def balance(self) -> Decimal:
        """What the document's step 1 reads."""
        answer = self.client.fetch("GET", f"/accounts/{self.wallet_id}", token=self.token)
        return Decimal(answer["account"]["balance"])

    def pay(
        self, destination: str, amount: float, *, key: str | None = None, **more: Any
    ) -> requests.Response:
        """POST /payments from this user's wallet; `amount` is a JSON number, as in the document."""
        order = {"amount": amount, "source_wallet_id": self.wallet_id, "destination": destination, **more}
        return self.client.call("POST", "/payments", token=self.token, key=key, json=order)

    def payment(self, payment_id: str) -> dict[str, Any]:
        return self.client.fetch("GET", f"/payments/{payment_id}", token=self.token)

    def deposit(self, amount: Decimal) -> None:
        order = {"amount": str(amount), "source": "bank_transfer", "reference": "tour"}
        self.client.fetch("POST", f"/accounts/{self.wallet_id}/deposit", token=self.token, json=order)


def access_token(client: GatewayClient, email: str) -> str:
    """A demo user's. Raises Difference."""
    answer = client.fetch("POST", "/auth/login", json={"email": email, "password": PASSWORD})
    token: str = answer["access_token"]
    return token


def sign_in(client: GatewayClient, email: str, *, wallet_id: str) -> User:
    """A demo user. Raises Difference."""
    return User(client, email, access_token(client, email), wallet_id)


def new_user(client: GatewayClient) -> User:
    """A new user in tier 0 with an empty USD wallet. Raises Difference."""
    email = f"tour-{secrets.token_hex(6)}@example.com"
    registration = {"email": email, "password": PASSWORD, "first_name": "Terry", "last_name": "Tourist"}
    token = client.fetch("POST", "/auth/register", status=201, json=registration)["access_token"]
    wallet = client.fetch("POST", "/accounts/wallets", status=201, token=token, json={"currency": "USD"})
    return User(client, email, token, wallet["id"])


def verify_identity(user: User) -> dict[str, Any]:
    """Submit details and a document and wait until the demo has verified them; returns the final status."""
    details = {
        "first_name": "Terry",
        "last_name": "Tourist",
        "date_of_birth": "1990-01-15",
        "address": {"street": "1 Harbour Road", "city": "Mombasa", "postal_code": "80100", "country": "KE"},
        "document_type": "passport",
        "document_number": "AB1234567",
    }
    user.client.fetch("POST", "/kyc/submit", status=201, token=user.token, json=details)
    user.client.fetch(
        "POST",
        "/kyc/documents",
        status=201,
        token=user.token,
        data={"document_type": "passport"},
        files={"document": ("passport.png", _picture(), "image/png")},
    )

    def decided() -> dict[str, Any] | None:
        status = user.client.fetch("GET", "/kyc/status", token=user.token)
        return status if status["status"] in ("verified", "rejected") else None

    return wait_until("The verification", decided, timeout_s=VERIFICATION_TIMEOUT_S)


def _picture() -> bytes:
    """A PNG of one white pixel: documents are judged by their content."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\xff")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )

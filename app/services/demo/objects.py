"""The demo's objects, as data: the one list that is loaded, looked for in production, and purged.

What is added here is loaded and found. A new kind of object needs its loader beside users.py and merchants.py, and its
lines in detection.py and purge.py; a test compares what loading adds with what the other two know.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from app.models.member import Role
from app.models.user import Scope

PASSWORD: Final = "SecurePass123!"  # noqa: S105 the documentation's demo users; never loaded in production

NAMESPACE: Final = uuid.UUID("6f1f0c34-5f0c-4d6e-9a51-5f8f1f8f6a01")
"""Demo ids are UUIDv5 in it, so that they are the same on every machine."""


@dataclass(frozen=True, slots=True)
class DemoUser:
    """`balance_minor` US cents in a USD wallet of this public id; no wallet_id: no wallet. role: in the demo tenant."""

    email: str
    first_name: str
    last_name: str
    tier: int = 0
    wallet_id: str | None = None
    balance_minor: int = 0
    scopes: tuple[str, ...] = ()
    role: Role | None = None

    @property
    def id(self) -> uuid.UUID:
        return uuid.uuid5(NAMESPACE, self.email)


USERS: Final = (
    DemoUser("sender@example.com", "Sam", "Sender", 2, "acc_sender_123", 1000_00),
    DemoUser("bob@example.com", "Bob", "Recipient", 0, "acc_recipient_456"),
    DemoUser("alice@example.com", "Alice", "Recipient", 0, "acc_alice_789"),
    DemoUser("charlie@example.com", "Charlie", "Recipient", 0, "acc_charlie_012"),
    DemoUser("owner@example.com", "Wanjiru", "Owner", role=Role.OWNER),
    DemoUser("finance@example.com", "Fatuma", "Finance", role=Role.FINANCE),
    DemoUser("manager@example.com", "Mary", "Manager", role=Role.FINANCE_ADMIN),
    DemoUser("support@example.com", "Samuel", "Support", role=Role.SUPPORT_LEAD),
    DemoUser("operator@example.com", "Olive", "Operator", scopes=(Scope.ADMIN,)),
)

EMAILS: Final = frozenset(user.email for user in USERS)

TENANT_ID: Final = uuid.UUID("7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11")
TENANT_NAME: Final = "Wabotiq Demo"
CURRENCY: Final = "KES"

API_KEY: Final = "demo_tenant_key_7Jt2mQ9sVx4L"
API_KEYS: Final = MappingProxyType({API_KEY: "demo key"})
"""Published key → its name. All of them are the demo tenant's."""

BALANCES: Final = MappingProxyType(
    {"KES": "10000.00"} | dict.fromkeys(("USD", "ETB", "NGN", "GHS", "ZAR", "UGX", "TZS", "EUR"), "1000.00")
)
"""Currency → major units. Fees are not returned, so a full refund takes more than the payment brought."""

PAYOUT_DESTINATION_ID: Final = uuid.uuid5(NAMESPACE, "payout destination")
PHONE: Final = "254712345678"
"""The demo customer's M-Pesa number, and where the demo tenant is paid out to."""

CUSTOMER_ID: Final = uuid.UUID("123e4567-e89b-12d3-a456-426614174000")
ORDER_ID: Final = uuid.UUID("5f0c2c5e-8f43-4c38-9d0e-6b7a40c6a001")

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
from app.models.tenant import Permission
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

PROCESSING_TENANT_ID: Final = uuid.uuid5(NAMESPACE, "Processing Demo")
PROCESSING_TENANT_NAME: Final = "Processing Demo"

TENANT_IDS: Final = (TENANT_ID, PROCESSING_TENANT_ID)


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A published key. permissions: None for all. requests_per_minute: None for the setting's."""

    name: str
    tenant_id: uuid.UUID
    permissions: tuple[Permission, ...] | None = None
    requests_per_minute: int | None = None
    is_expired: bool = False


API_KEY: Final = "demo_tenant_key_7Jt2mQ9sVx4L"
STANDARD_KEY: Final = "demo_key_4eC39HqLyjWDarjtT1zdp7dc"
ADMIN_KEY: Final = "demo_key_BQokikJOvBiI2HlWgH4olfQ2"
READ_ONLY_KEY: Final = "demo_key_readonly_9f8g7h6j5k4l3m2n"
EXPIRED_KEY: Final = "demo_key_expired_key_do_not_use"

API_KEYS: Final = MappingProxyType(
    {
        API_KEY: DemoKey("demo key", TENANT_ID),
        STANDARD_KEY: DemoKey(
            "Standard",
            PROCESSING_TENANT_ID,
            (Permission.PAYMENTS_READ, Permission.PAYMENTS_WRITE, Permission.REFUNDS_WRITE),
            requests_per_minute=100,
        ),
        ADMIN_KEY: DemoKey("Admin", PROCESSING_TENANT_ID, tuple(Permission), requests_per_minute=500),
        READ_ONLY_KEY: DemoKey(
            "Read Only", PROCESSING_TENANT_ID, (Permission.PAYMENTS_READ,), requests_per_minute=50
        ),
        EXPIRED_KEY: DemoKey("Expired", PROCESSING_TENANT_ID, (), is_expired=True),
    }
)
"""Published key → what it is; those of documents 002 and 003."""


@dataclass(frozen=True, slots=True)
class DemoClient:
    """An application of the Processing tenant. secret: published; None: it is public."""

    client_id: str
    name: str
    grants: tuple[str, ...]
    permissions: tuple[Permission, ...]
    secret: str | None = None

    @property
    def id(self) -> uuid.UUID:
        return uuid.uuid5(NAMESPACE, f"oauth client {self.client_id}")


_BY_CONSENT: Final = ("authorization_code", "refresh_token")

OAUTH_REDIRECT_URI: Final = "https://example.com/callback"
OAUTH_CLIENTS: Final = (
    DemoClient(
        "my_app",
        "My App",
        _BY_CONSENT,
        (Permission.PAYMENTS_READ, Permission.PAYMENTS_WRITE, Permission.REFUNDS_WRITE),
        secret="my_secret",  # noqa: S106 published in the documentation
    ),
    DemoClient(
        "my_service",
        "My Service",
        ("client_credentials",),
        (Permission.PAYMENTS_READ,),
        secret="my_secret",  # noqa: S106 published in the documentation
    ),
    DemoClient(
        "test_client", "Test Client", _BY_CONSENT, (Permission.PAYMENTS_READ, Permission.PAYMENTS_WRITE)
    ),
)

BALANCES: Final = MappingProxyType(
    {
        TENANT_ID: {"KES": "10000.00"}
        | dict.fromkeys(("USD", "ETB", "NGN", "GHS", "ZAR", "UGX", "TZS", "EUR"), "1000.00"),
        PROCESSING_TENANT_ID: {"JPY": "100000", "INR": "100000.00"}
        | dict.fromkeys(("USD", "EUR", "GBP", "CAD", "AUD"), "1000.00"),
    }
)
"""Tenant → currency → major units. Fees are not returned, so a full refund takes more than the payment brought."""

PAYOUT_DESTINATION_ID: Final = uuid.uuid5(NAMESPACE, "payout destination")
PHONE: Final = "254712345678"
"""The demo customer's M-Pesa number, and where the demo tenant is paid out to."""

CUSTOMER_ID: Final = uuid.UUID("123e4567-e89b-12d3-a456-426614174000")
LISTING_ID: Final = uuid.uuid5(NAMESPACE, "listing")
BOOKING_ID: Final = uuid.UUID("f367ddf9-f2ff-4de2-b929-0e0942ace93b")
"""Document 004's stay, of the demo tenant."""

ORDER_ID: Final = uuid.UUID("5f0c2c5e-8f43-4c38-9d0e-6b7a40c6a001")

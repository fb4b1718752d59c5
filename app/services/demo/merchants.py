"""The demo's merchant: the tenant of the documents, its API key, and money to refund from."""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from app import clock, ledger
from app.ledger.chart import platform_account, tenant_wallet
from app.models.tenant import Tenant
from app.money import Money
from app.services.demo.people import NAMESPACE
from app.services.tenants.api_keys import store_key

TENANT_ID: Final = uuid.UUID("7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11")
TENANT_NAME: Final = "Wabotiq Demo"
API_KEY: Final = "demo_tenant_key_7Jt2mQ9sVx4L"

BALANCES: Final = MappingProxyType(
    {"KES": "10000.00"} | dict.fromkeys(("USD", "ETB", "NGN", "GHS", "ZAR", "UGX", "TZS", "EUR"), "1000.00")
)
"""Currency → major units. Fees are not returned, so a full refund takes more than the payment brought."""


def load_tenant(session: Session) -> bool:
    """Create the tenant with its key and balances; False when it is there."""
    if session.get(Tenant, TENANT_ID):
        return False
    now = clock.now()
    session.add(Tenant(id=TENANT_ID, name=TENANT_NAME, plan="growth", is_active=True, created_at=now))
    session.flush()
    store_key(session, API_KEY, tenant_id=TENANT_ID, name="demo key")
    for currency, amount in BALANCES.items():
        _deposit(session, Money.parse(amount, currency))
    return True


def _deposit(session: Session, amount: Money) -> None:
    outside = platform_account(session, "external", "", amount.currency)
    wallet = tenant_wallet(session, TENANT_ID, amount.currency)
    ledger.post(
        session, "deposit", ref_id=uuid.uuid5(NAMESPACE, f"deposit tenant {amount.currency}"), now=clock.now(),
        currency=amount.currency, amounts={wallet: amount.amount_minor, outside: -amount.amount_minor},
        tenant_id=TENANT_ID,
    )  # fmt: skip

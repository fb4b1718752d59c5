"""Loads the demo's merchant: the tenant of the documents, its API key, and money to refund from."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from app import clock, ledger
from app.ledger.chart import account_id, platform_account, tenant_wallet
from app.models.account import AccountKind
from app.models.tenant import Plan, Tenant
from app.money import Money
from app.services.demo.objects import API_KEYS, BALANCES, NAMESPACE, TENANT_ID, TENANT_NAME
from app.services.tenants.api_keys import store_key


def load_tenant(session: Session) -> bool:
    """Create the tenant with its keys and balances; False when it is there."""
    if session.get(Tenant, TENANT_ID):
        return False
    now = clock.now()
    session.add(Tenant(id=TENANT_ID, name=TENANT_NAME, plan=Plan.GROWTH, is_active=True, created_at=now))
    session.flush()
    for key, name in API_KEYS.items():
        store_key(session, key, tenant_id=TENANT_ID, name=name)
    for currency, amount in BALANCES.items():
        _deposit(session, Money.parse(amount, currency))
    return True


def _deposit(session: Session, amount: Money) -> None:
    outside = account_id(session, platform_account(AccountKind.EXTERNAL, "", amount.currency))
    wallet = account_id(session, tenant_wallet(TENANT_ID, amount.currency))
    ledger.post(
        session,
        "deposit",
        ref_id=uuid.uuid5(NAMESPACE, f"deposit tenant {amount.currency}"),
        now=clock.now(),
        currency=amount.currency,
        amounts={wallet: amount.amount_minor, outside: -amount.amount_minor},
        tenant_id=TENANT_ID,
    )

"""A merchant with an API key, and its members, new for each test."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field

from flask import Flask

from app import clock, ids, ledger
from app.ledger.chart import account_id, platform_account, tenant_wallet
from app.models.account import AccountKind
from app.models.member import Member, Role
from app.models.tenant import Plan
from app.services.tenants import tenants
from app.unit_of_work import transaction
from tests.support.factories import SignedInUser, make_user


@dataclass(frozen=True)
class MerchantClient:
    """A tenant's backend: `headers` go with every request."""

    tenant_id: uuid.UUID
    api_key: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"X-TENANT-API-KEY": self.api_key}

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}


def make_merchant(app: Flask, *, plan: Plan = Plan.GROWTH) -> MerchantClient:
    with app.app_context():
        tenant, key = tenants.create_tenant(f"Merchant {secrets.token_hex(4)}", plan)
    return MerchantClient(tenant.id, key)


def fund_merchant(app: Flask, merchant: MerchantClient, amount_minor: int, *, currency: str = "KES") -> None:
    """Credit `amount_minor` to the merchant's wallet from the external account."""

    def work(session) -> None:
        wallet = account_id(session, tenant_wallet(merchant.tenant_id, currency))
        outside = account_id(session, platform_account(AccountKind.EXTERNAL, "", currency))
        ledger.post(
            session,
            "deposit",
            ref_id=ids.uuid7(),
            now=clock.now(),
            currency=currency,
            tenant_id=merchant.tenant_id,
            amounts={wallet: amount_minor, outside: -amount_minor},
        )

    with app.app_context():
        transaction(work)


@dataclass(frozen=True)
class MemberClient:
    """A member of a tenant who is signed in: `headers` go with every request of the Tenant API."""

    merchant: MerchantClient
    user: SignedInUser

    @property
    def headers(self) -> dict[str, str]:
        return {**tenant_headers(self.merchant), **self.user.headers}


def tenant_headers(merchant: MerchantClient) -> dict[str, str]:
    """The tenant's id and its API key, without a person."""
    return {"X-TENANT-ID": str(merchant.tenant_id), **merchant.headers}


def make_member(
    app: Flask, merchant: MerchantClient, role: Role, *, email: str | None = None
) -> MemberClient:
    """A new user who is the tenant's member in this role."""
    user = make_user(app, email=email)
    with app.app_context():
        row = Member(tenant_id=merchant.tenant_id, user_id=user.user_id, role=role, created_at=clock.now())
        transaction(lambda session: session.add(row))
    return MemberClient(merchant, user)

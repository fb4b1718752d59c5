"""Loads the demo's merchants: the tenants of the documents, their API keys, and money to refund from."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy.orm import Session

from app import clock, ledger
from app.ledger.chart import account_id, platform_account, tenant_wallet
from app.models.account import AccountKind
from app.models.booking import Booking
from app.models.customer import Customer, PaymentMethod
from app.models.member import Member
from app.models.order import Order
from app.models.tenant import Plan, Tenant
from app.models.user import User
from app.models.withdrawal import PayoutDestination
from app.money import Money
from app.providers import PROVIDERS
from app.providers.base import PayoutMethod
from app.services.demo.bookings import add_booking
from app.services.demo.objects import (
    API_KEYS,
    BALANCES,
    BOOKING_ID,
    CURRENCY,
    CUSTOMER_ID,
    NAMESPACE,
    OAUTH_CLIENTS,
    OAUTH_REDIRECT_URI,
    ORDER_ID,
    PAYOUT_DESTINATION_ID,
    PHONE,
    PROCESSING_TENANT_ID,
    PROCESSING_TENANT_NAME,
    TENANT_ID,
    TENANT_NAME,
    USERS,
)
from app.services.oauth.client_changes import Registration, store_client
from app.services.tenants.api_keys import store_key
from app.services.withdrawals.digests import destination_digest


def load_tenants(session: Session) -> None:
    """Create the tenants that are not there, with their keys and balances."""
    if _load_wabotiq(session):
        _add_keys_and_balances(session, TENANT_ID)
    # A demo of an earlier version has none.
    if session.get(Booking, BOOKING_ID) is None:
        add_booking(session)
    if session.get(Tenant, PROCESSING_TENANT_ID) is None:
        session.add(
            Tenant(
                id=PROCESSING_TENANT_ID,
                name=PROCESSING_TENANT_NAME,
                plan=Plan.GROWTH,
                is_active=True,
                created_at=clock.now(),
                currency="USD",
            )
        )
        session.flush()
        _add_keys_and_balances(session, PROCESSING_TENANT_ID)
        _add_oauth_clients(session)


def _load_wabotiq(session: Session) -> bool:
    """The tenant of document 002; False when it is there."""
    if session.get(Tenant, TENANT_ID):
        return False
    now = clock.now()
    session.add(
        Tenant(
            id=TENANT_ID,
            name=TENANT_NAME,
            plan=Plan.GROWTH,
            is_active=True,
            created_at=now,
            currency=CURRENCY,
            payout_destination_id=PAYOUT_DESTINATION_ID,
        )
    )
    session.flush()
    _add_members(session)
    _add_payout_destination(session)
    _add_customer(session)
    return True


def _add_keys_and_balances(session: Session, tenant_id: uuid.UUID) -> None:
    for text, key in API_KEYS.items():
        if key.tenant_id == tenant_id:
            row = store_key(
                session,
                text,
                tenant_id=tenant_id,
                name=key.name,
                permissions=key.permissions,
                requests_per_minute=key.requests_per_minute,
                # The same after a reset: processes remember which row a key has.
                row_id=uuid.uuid5(NAMESPACE, f"API key {key.name}"),
            )
            row.expires_at = clock.now() - timedelta(days=1) if key.is_expired else None
    for currency, amount in BALANCES[tenant_id].items():
        _deposit(session, tenant_id, Money.parse(amount, currency))


def _add_oauth_clients(session: Session) -> None:
    for client in OAUTH_CLIENTS:
        store_client(
            session,
            client_id=client.client_id,
            tenant_id=PROCESSING_TENANT_ID,
            registration=Registration(
                name=client.name,
                redirect_uris=(OAUTH_REDIRECT_URI,),
                grants=client.grants,
                permissions=client.permissions,
            ),
            secret=client.secret,
            row_id=client.id,
        )


def _add_members(session: Session) -> None:
    for user in USERS:
        known = session.get(User, user.id)
        if user.role is not None and known is not None:
            session.add(Member(tenant_id=TENANT_ID, user_id=known.id, role=user.role, created_at=clock.now()))


def _add_payout_destination(session: Session) -> None:
    details = {"phone_number": PHONE}
    session.add(
        PayoutDestination(
            id=PAYOUT_DESTINATION_ID,
            tenant_id=TENANT_ID,
            digest=destination_digest(PayoutMethod.MPESA, details),
            method=PayoutMethod.MPESA,
            details=details,
            added_at=clock.now(),
            confirmed_at=clock.now(),
        )
    )


def _add_customer(session: Session) -> None:
    """The documents' customer with its saved method, and its order."""
    now = clock.now()
    session.add(
        Customer(
            id=CUSTOMER_ID,
            tenant_id=TENANT_ID,
            name="John Doe",
            email="customer@example.com",
            phone=f"+{PHONE}",
            preferred_provider="mpesa",
            created_at=now,
            updated_at=now,
        )
    )
    session.add(
        PaymentMethod(
            id=uuid.uuid5(NAMESPACE, "payment method"),
            tenant_id=TENANT_ID,
            customer_id=CUSTOMER_ID,
            method_id=PROVIDERS["mpesa"].method_id({"phone_number": PHONE}),
            provider="mpesa",
            details={"phone_number": PHONE},
            is_default=True,
            saved_at=now,
        )
    )
    amount_minor = Money.parse("1000.00", CURRENCY).amount_minor
    session.add(
        Order(
            id=ORDER_ID,
            tenant_id=TENANT_ID,
            customer_id=CUSTOMER_ID,
            amount=amount_minor,
            currency=CURRENCY,
            items=[{"name": "Sample product", "quantity": 1, "unit_price": amount_minor}],
            created_at=now,
        )
    )


def _deposit(session: Session, tenant_id: uuid.UUID, amount: Money) -> None:
    outside = account_id(session, platform_account(AccountKind.EXTERNAL, "", amount.currency))
    wallet = account_id(session, tenant_wallet(tenant_id, amount.currency))
    ledger.post(
        session,
        "deposit",
        ref_id=uuid.uuid5(tenant_id, f"deposit {amount.currency}"),
        now=clock.now(),
        currency=amount.currency,
        amounts={wallet: amount.amount_minor, outside: -amount.amount_minor},
        tenant_id=tenant_id,
    )

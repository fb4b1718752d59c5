"""Loads the demo's users: those with wallets, as the documentation names them, and an operator."""

from __future__ import annotations

import uuid

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import clock, ledger
from app.models.account import AccountId, AccountKind
from app.models.direct_funding import DirectFunding
from app.models.user import User
from app.services.demo.objects import NAMESPACE, PASSWORD, DemoUser
from app.services.identity.passwords import hash_password
from app.services.wallets.wallets import external_account


def load_user(session: Session, demo: DemoUser) -> bool:
    """Create the user with their wallet; False when they are there, or another user has the e-mail."""
    if session.scalars(select(User.id).where(or_(User.id == demo.id, User.email == demo.email))).first():
        return False
    now = clock.now()
    user = User(
        id=demo.id,
        email=demo.email,
        password_hash=hash_password(PASSWORD),
        first_name=demo.first_name,
        last_name=demo.last_name,
        tier=demo.tier,
        is_active=True,
        scopes=list(demo.scopes),
        created_at=now,
        email_confirmed_at=now,
    )
    session.add(user)
    session.flush()
    if demo.wallet_id is None:
        return True
    account_id = ledger.open_account(
        session,
        demo.wallet_id,
        now=now,
        kind=AccountKind.WALLET,
        currency="USD",
        is_floored=True,
        owner_id=user.id,
        wallet_type="personal",
        name="Demo wallet",
    )
    if demo.balance_minor:
        _fund(session, demo, user, account_id)
    return True


def _fund(session: Session, demo: DemoUser, user: User, account_id: AccountId) -> None:
    now = clock.now()
    deposit_id = uuid.uuid5(NAMESPACE, f"deposit {demo.wallet_id}")
    amounts = {account_id: demo.balance_minor, external_account(session, "USD"): -demo.balance_minor}
    posted = ledger.post(session, "deposit", ref_id=deposit_id, now=now, currency="USD", amounts=amounts)
    session.add(
        DirectFunding(
            id=deposit_id,
            kind="deposit",
            user_id=user.id,
            account_id=account_id,
            entry_id=posted.entry_id,
            amount=demo.balance_minor,
            currency="USD",
            counterparty="external",
            description="Demo balance",
            created_at=now,
        )
    )

"""The demo's people: users with wallets, as the documents name them, and an operator."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ledger
from app.models.cash_movement import DirectFunding
from app.models.user import User
from app.services.identity.passwords import hash_password
from app.services.identity.scopes import ADMIN
from app.services.wallets.wallets import external_account

PASSWORD: Final = "SecurePass123!"  # noqa: S105 the documents' demo users; never loaded in production

NAMESPACE: Final = uuid.UUID("6f1f0c34-5f0c-4d6e-9a51-5f8f1f8f6a01")
"""Demo ids are UUIDv5 in it, so that they are the same on every machine."""


@dataclass(frozen=True, slots=True)
class DemoUser:
    """`balance_minor` US cents in a USD wallet of this public id; no wallet_id: no wallet."""

    email: str
    first_name: str
    last_name: str
    tier: int = 0
    wallet_id: str | None = None
    balance_minor: int = 0
    scopes: tuple[str, ...] = ()


USERS: Final = (
    DemoUser("sender@example.com", "Sam", "Sender", 2, "acc_sender_123", 1000_00),
    DemoUser("bob@example.com", "Bob", "Recipient", 0, "acc_recipient_456"),
    DemoUser("alice@example.com", "Alice", "Recipient", 0, "acc_alice_789"),
    DemoUser("charlie@example.com", "Charlie", "Recipient", 0, "acc_charlie_012"),
    DemoUser("operator@example.com", "Olive", "Operator", scopes=(ADMIN,)),
)


def load_user(session: Session, demo: DemoUser) -> bool:
    """Create the user with their wallet; False when the e-mail is known."""
    if session.scalar(select(User.id).where(User.email == demo.email)):
        return False
    now = clock.now()
    user = User(
        id=uuid.uuid5(NAMESPACE, demo.email), email=demo.email, password_hash=hash_password(PASSWORD),
        first_name=demo.first_name, last_name=demo.last_name, tier=demo.tier, is_active=True,
        scopes=list(demo.scopes), created_at=now,
    )  # fmt: skip
    session.add(user)
    session.flush()
    if demo.wallet_id is None:
        return True
    account_id = ledger.open_account(
        session, demo.wallet_id, now=now, kind="wallet", currency="USD", is_floored=True, owner_id=user.id,
        wallet_type="personal", name="Demo wallet",
    )  # fmt: skip
    if demo.balance_minor:
        _fund(session, demo, user, account_id)
    return True


def _fund(session: Session, demo: DemoUser, user: User, account_id: int) -> None:
    now = clock.now()
    deposit_id = uuid.uuid5(NAMESPACE, f"deposit {demo.wallet_id}")
    amounts = {account_id: demo.balance_minor, external_account(session, "USD"): -demo.balance_minor}
    posted = ledger.post(session, "deposit", ref_id=deposit_id, now=now, currency="USD", amounts=amounts)
    session.add(
        DirectFunding(
            id=deposit_id, kind="deposit", user_id=user.id, account_id=account_id, entry_id=posted.entry_id,
            amount=demo.balance_minor, currency="USD", counterparty="external", description="Demo balance",
            created_at=now,
        )
    )  # fmt: skip

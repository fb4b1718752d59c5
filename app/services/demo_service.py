"""The demo data of the documents, fixed so that their commands run as printed. Loading twice changes nothing."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.orm import Session

from app import clock, ledger
from app.models.cash_movement import CashMovement
from app.models.user import User
from app.services.passwords import hash_password
from app.services.wallet_service import external_account
from app.unit_of_work import transaction

PASSWORD: Final = "SecurePass123!"  # noqa: S105 the documents' demo users; never loaded in production

NAMESPACE: Final = uuid.UUID("6f1f0c34-5f0c-4d6e-9a51-5f8f1f8f6a01")
"""Demo ids are UUIDv5 in it, so that they are the same on every machine."""


@dataclass(frozen=True, slots=True)
class DemoUser:
    """`balance_minor` US cents in a USD wallet of this public id."""

    email: str
    first_name: str
    last_name: str
    tier: int
    wallet_id: str
    balance_minor: int


USERS: Final = (
    DemoUser("sender@example.com", "Sam", "Sender", 2, "acc_sender_123", 1000_00),
    DemoUser("bob@example.com", "Bob", "Recipient", 0, "acc_recipient_456", 0),
    DemoUser("alice@example.com", "Alice", "Recipient", 0, "acc_alice_789", 0),
    DemoUser("charlie@example.com", "Charlie", "Recipient", 0, "acc_charlie_012", 0),
)


def load() -> int:
    """Create the demo users that are missing, with their wallets; returns how many."""
    return transaction(lambda session: sum(_load_user(session, user) for user in USERS))


def _load_user(session: Session, demo: DemoUser) -> bool:
    if session.scalar(select(User.id).where(User.email == demo.email)):
        return False
    now = clock.now()
    user = User(
        id=uuid.uuid5(NAMESPACE, demo.email), email=demo.email, password_hash=hash_password(PASSWORD),
        first_name=demo.first_name, last_name=demo.last_name, tier=demo.tier, is_active=True, created_at=now,
    )  # fmt: skip
    session.add(user)
    session.flush()
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
        CashMovement(
            id=deposit_id, kind="deposit", user_id=user.id, account_id=account_id, entry_id=posted.entry_id,
            amount=demo.balance_minor, currency="USD", counterparty="external", description="Demo balance",
            created_at=now,
        )
    )  # fmt: skip


def reset(owner_url: str, var_dir: Path) -> None:
    """Empty every table (as their owner), forget documents and anchors, and load the demo data anew."""
    engine = create_engine(owner_url)
    with engine.begin() as connection:
        _truncate(connection)
    engine.dispose()
    for folder in ("kyc", "audit"):
        shutil.rmtree(var_dir / folder, ignore_errors=True)
    load()


def _truncate(connection: Connection) -> None:
    tables = connection.execute(
        text(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables "
            "WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'relay_state')"
        )
    ).scalar_one()
    # Identities go on counting: a running relay must not meet an outbox id it has seen.
    connection.exec_driver_sql(f"TRUNCATE {tables}")
    connection.exec_driver_sql("UPDATE relay_state SET pushed_through = 0")

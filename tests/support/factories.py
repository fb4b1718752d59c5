"""Functions that create what a test needs, always new, so that tests can share a database.

They write through the functions that the application uses; only the password's hash is made once for all users.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from flask import Flask

from app import clock, ids, ledger
from app.api.wallet.views import receipt, wallet_view
from app.models import User, UserSession
from app.models.account import AccountKind
from app.principal import SYSTEM, Principal
from app.services.idempotency_service import Claim
from app.services.identity import passwords, tokens
from app.services.wallets import direct_funding, wallets
from app.services.wallets.direct_funding import FundingRequest
from app.unit_of_work import transaction

PASSWORD = "SecurePass123!"


@dataclass(frozen=True)
class SignedInUser:
    """A user who is logged in: `headers` go with every request."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    email: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    @property
    def public_id(self) -> str:
        return ids.public(ids.USER, self.user_id)

    @property
    def actor(self) -> Principal:
        return Principal.of_user(self.user_id, self.session_id, "127.0.0.1")


@cache
def _password_hash() -> str:
    return passwords.hash_password(PASSWORD)


def make_user(
    app: Flask,
    *,
    tier: int = 2,
    email: str | None = None,
    is_active: bool = True,
    is_confirmed: bool = True,
) -> SignedInUser:
    """A user in KYC tier `tier`, with PASSWORD, in an open session. is_confirmed: their e-mail address."""
    email = email or f"user-{secrets.token_hex(6)}@example.com"
    user_id, session_id, refresh_id = ids.opaque(), ids.opaque(), ids.opaque()
    with app.app_context():
        now = clock.now()
        user = User(
            id=user_id,
            email=email,
            password_hash=_password_hash(),
            first_name="Test",
            last_name="User",
            phone=None,
            tier=tier,
            is_active=is_active,
            created_at=now,
            email_confirmed_at=now if is_confirmed else None,
        )
        opened = UserSession(
            id=session_id,
            user_id=user_id,
            refresh_id=refresh_id,
            created_at=now,
            expires_at=now + timedelta(days=30),
            revoked_at=None,
        )

        def work(session) -> None:
            session.add(user)
            session.flush()
            session.add(opened)

        transaction(work)
        pair = tokens.issue(user_id, session_id=session_id, refresh_id=refresh_id)
    return SignedInUser(user_id, session_id, email, pair.access_token, pair.refresh_token)


def make_wallet(
    app: Flask, owner: SignedInUser, *, balance: str = "0", currency: str = "USD", is_frozen: bool = False
) -> str:
    """A wallet of `owner` (its `acc_…` id) with `balance`, deposited."""
    public_id = ids.wallet()
    with app.app_context():
        now = clock.now()

        def work(session) -> int:
            return ledger.open_account(
                session,
                public_id,
                now=now,
                kind=AccountKind.WALLET,
                currency=currency,
                is_floored=True,
                owner_id=owner.user_id,
                wallet_type="personal",
            )

        transaction(work)
        if balance != "0":
            wanted = FundingRequest(amount=balance, counterparty="external")
            direct_funding.deposit(
                owner.actor, public_id, wanted, claim=Claim(uuid.uuid4(), b"factory", "", receipt)
            )
        if is_frozen:
            wallets.set_frozen(public_id, is_frozen=True, operator=SYSTEM)
    return public_id


def balance_of(app: Flask, owner: SignedInUser, wallet: str) -> str:
    """The wallet's balance as its owner reads it."""
    with app.app_context():
        return str(wallet_view(wallets.statement(owner.user_id, wallet).wallet)["balance"])

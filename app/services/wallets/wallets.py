"""Wallets: opening, reading, freezing.

Guarantees: a wallet of another user is answered like one that does not exist; a balance and the movements shown with it are of
one moment; a user has at most MAX_WALLETS wallets, however many are opened at once.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, ids, ledger
from app.errors import AccountNotFound, InvalidRequest
from app.events import outbox
from app.events.catalogue import EventType
from app.ledger.chart import account_id, platform_account
from app.models import Account, AccountBalance, Entry, Posting, User, WalletPayment
from app.models.account import AccountId, AccountKind
from app.models.wallet_payment import WalletPaymentStatus
from app.money import Money
from app.principal import Principal
from app.services.idempotency_service import Answer, Claim, answer_once
from app.services.pages import Page
from app.services.wallets import spending_limits
from app.unit_of_work import reading, transaction

MAX_WALLETS: Final = 50
"""Wallets of one user."""

RECENT: Final = 10
"""Movements shown with a wallet; the rest are pages of the history."""

_WALLET_ID: Final = re.compile(r"acc_[A-Za-z0-9_]{1,60}")

MOVEMENT_TYPES: Final = MappingProxyType(
    {
        ("deposit", True): "deposit",
        ("withdrawal", False): "withdrawal",
        ("wallet_payment", True): "payment_received",
        ("wallet_payment", False): "payment_sent",
    }
)
"""(kind of ledger entry, whether it raised the balance) → the type its owner is shown; other kinds: credit or debit."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of a wallet's balance. `amount` is positive; `type` (MOVEMENT_TYPES) has the direction."""

    transaction_id: str
    type: str
    amount: Money
    status: WalletPaymentStatus
    at: datetime
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A wallet's balance and its latest movements, of one moment."""

    wallet: AccountBalance
    recent: list[Movement]


def open_wallet(
    actor: Principal, currency: str, *, wallet_type: str, name: str | None, claim: Claim
) -> Answer:
    """Open an empty wallet. Raises UnsupportedCurrency, InvalidRequest (too many), and answer_once's errors."""
    spending_limits.require_wallet_currency(currency, current_app.config["USD_RATES"])
    public_id, now = ids.wallet(), clock.now()

    def act(session: Session) -> AccountBalance:
        # The user's row is locked, so that wallets opened at once are counted one after the other.
        session.execute(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
        count = select(func.count()).where(
            Account.owner_id == actor.user_id, Account.kind == AccountKind.WALLET
        )
        if session.execute(count).scalar_one() >= MAX_WALLETS:
            raise InvalidRequest(f"You have {MAX_WALLETS} wallets, which is the most a user can have.")
        ledger.open_account(
            session,
            public_id,
            now=now,
            kind=AccountKind.WALLET,
            currency=currency,
            is_floored=True,
            owner_id=actor.user_id,
            wallet_type=wallet_type,
            name=name,
        )
        facts = {"user": ids.public(ids.USER, actor.user_id), "currency": currency, "type": wallet_type}
        outbox.record(session, EventType.WALLET_OPENED, object_id=public_id, data=facts, now=now, actor=actor)
        return owned(session, actor.user_id, public_id)

    return answer_once(claim, act)


def wallets(user_id: uuid.UUID) -> Sequence[AccountBalance]:
    """The user's wallets, oldest first."""
    with reading() as session:
        mine = select(AccountBalance).where(
            AccountBalance.owner_id == user_id, AccountBalance.kind == AccountKind.WALLET
        )
        return session.scalars(mine.order_by(AccountBalance.id)).all()


def statement(user_id: uuid.UUID, public_id: str) -> Statement:
    """Raises AccountNotFound."""
    with reading() as session:
        _one_moment(session)
        wallet = owned(session, user_id, public_id)
        return Statement(wallet, _movements(session, wallet, limit=RECENT))


def history(
    user_id: uuid.UUID, public_id: str, *, limit: int, before: uuid.UUID | None = None
) -> Page[Movement]:
    """Up to `limit` movements, newest first, older than that of the ledger entry `before`.

    Raises AccountNotFound, InvalidRequest (the entry is not this wallet's).
    """
    with reading() as session:
        _one_moment(session)
        wallet = owned(session, user_id, public_id)
        posting = _posting_of(session, wallet.id, before) if before else None
        movements = _movements(session, wallet, limit=limit + 1, before=posting)
    return Page.cut(movements, limit=limit)


def set_frozen(public_id: str, *, is_frozen: bool, operator: Principal) -> None:
    """Freeze or thaw a wallet: a frozen one refuses debits and holds, never credits. Raises AccountNotFound."""
    now = clock.now()

    def work(session: Session) -> None:
        account = session.scalars(
            select(Account).where(Account.public_id == public_id, Account.kind == AccountKind.WALLET)
        ).first()
        if account is None or account.owner_id is None:
            raise AccountNotFound
        ledger.freeze(session, account.id, is_frozen=is_frozen)
        event_type = EventType.WALLET_FROZEN if is_frozen else EventType.WALLET_THAWED
        facts = {"user": ids.public(ids.USER, account.owner_id)}
        outbox.record(session, event_type, object_id=public_id, data=facts, now=now, actor=operator)

    transaction(work)


def owned(session: Session, user_id: uuid.UUID, public_id: str) -> AccountBalance:
    """The user's wallet of that id. Raises AccountNotFound: another user's looks the same as an unknown one."""
    wallet = None
    if _WALLET_ID.fullmatch(public_id):
        wallet = session.scalars(
            select(AccountBalance)
            .where(
                AccountBalance.public_id == public_id,
                AccountBalance.owner_id == user_id,
                AccountBalance.kind == AccountKind.WALLET,
            )
            .execution_options(populate_existing=True)
        ).one_or_none()
    if wallet is None:
        raise AccountNotFound
    return wallet


def external_account(session: Session, currency: str) -> AccountId:
    """The platform's account for money outside the gateway, in `currency`; opened on first use."""
    return account_id(session, platform_account(AccountKind.EXTERNAL, "", currency))


def available(wallet: AccountBalance) -> Money:
    """What its owner can spend: the balance less what is held."""
    return Money(wallet.balance - wallet.held, wallet.currency)


def _one_moment(session: Session) -> None:
    """Every statement of this session sees the same snapshot, so that a balance is the sum of its history."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _movements(
    session: Session, wallet: AccountBalance, *, limit: int, before: int | None = None
) -> list[Movement]:
    rows = _MOVEMENTS.where(Posting.account_id == wallet.id).order_by(Posting.id.desc()).limit(limit)
    if before is not None:
        rows = rows.where(Posting.id < before)
    return [_movement(*row, currency=wallet.currency) for row in session.execute(rows)]


_MOVEMENTS: Final = (
    select(Posting.amount, Entry.id, Entry.kind, Entry.at, WalletPayment.id, WalletPayment.status)
    .join(Entry, Entry.id == Posting.entry_id)
    .outerjoin(WalletPayment, (WalletPayment.id == Entry.ref_id) & (Entry.kind == "wallet_payment"))
)


def _movement(
    amount: int,
    entry_id: uuid.UUID,
    kind: str,
    at: datetime,
    payment_id: uuid.UUID | None,
    payment_status: WalletPaymentStatus | None,
    *,
    currency: str,
) -> Movement:
    return Movement(
        transaction_id=ids.public(ids.TRANSACTION, entry_id),
        type=MOVEMENT_TYPES.get((kind, amount > 0), "credit" if amount > 0 else "debit"),
        amount=Money(abs(amount), currency),
        status=payment_status or WalletPaymentStatus.COMPLETED,
        at=at,
        payment_id=ids.public(ids.PAYMENT, payment_id) if payment_id else None,
    )


def _posting_of(session: Session, account_id: int, entry_id: uuid.UUID) -> int:
    wanted = select(Posting.id).where(Posting.entry_id == entry_id, Posting.account_id == account_id)
    posting = session.scalars(wanted).one_or_none()
    if posting is None:
        raise InvalidRequest("This cursor is not from this wallet's history.", field="cursor")
    return posting

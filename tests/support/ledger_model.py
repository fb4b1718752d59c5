"""The ledger in forty lines of Python: what the SQL functions must answer and leave behind, with no locks or queues."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

DAILY = (200, 500)
MONTHLY = (300, 1000)
"""Limits in US cents by tier, small so that they are met."""


@dataclass
class Account:
    id: int
    public_id: str
    currency: str
    is_floored: bool
    owner: uuid.UUID | None = None
    balance: int = 0
    held: int = 0
    is_frozen: bool = False


@dataclass
class Hold:
    account: int
    amount: int
    is_open: bool = True


@dataclass
class User:
    id: uuid.UUID
    session: uuid.UUID
    email: str
    tier: int = 0


@dataclass(frozen=True)
class Item:
    """`usd` is the amount in US cents as the caller reckons it."""

    currency: str
    destination: str
    amount: int
    usd: int


@dataclass
class Model:
    accounts: dict[int, Account] = field(default_factory=dict)
    holds: dict[uuid.UUID, Hold] = field(default_factory=dict)
    posted_refs: set[tuple[uuid.UUID, str]] = field(default_factory=set)
    users: dict[uuid.UUID, User] = field(default_factory=dict)
    spent: dict[tuple[uuid.UUID, date], int] = field(default_factory=dict)

    def post(self, ref: uuid.UUID, kind: str, amounts: Mapping[int, int], hold: uuid.UUID | None) -> str:
        if (ref, kind) in self.posted_refs:
            return "duplicate"
        debits = [(a, -m) for a, m in sorted(amounts.items()) if m < 0 and self.accounts[a].is_floored]
        if hold is not None and not debits:
            return "hold_closed"
        for account, amount in debits:
            if refusal := self._debit_refusal(self.accounts[account], amount, hold):
                return refusal
        if hold is not None:
            self._close(hold)
        for account, amount in amounts.items():
            self.accounts[account].balance += amount
        self.posted_refs.add((ref, kind))
        return "posted"

    def _debit_refusal(self, account: Account, amount: int, hold: uuid.UUID | None) -> str | None:
        if hold is not None:
            known = self.holds.get(hold)
            if known is None or known.account != account.id or not known.is_open:
                return "hold_closed"
            return "insufficient" if known.amount < amount else None
        if account.is_frozen:
            return "frozen"
        return "insufficient" if account.balance - account.held < amount else None

    def hold(self, ref: uuid.UUID, account: Account, amount: int) -> str:
        # The account is locked first, so a frozen one says so even for a reference that has its hold.
        if account.is_frozen and ref not in self.holds:
            return "frozen"
        if ref in self.holds:
            return "duplicate"
        if account.balance - account.held < amount:
            return "insufficient"
        self.holds[ref] = Hold(account.id, amount)
        account.held += amount
        return "held"

    def release(self, ref: uuid.UUID) -> str:
        if ref not in self.holds or not self.holds[ref].is_open:
            return "closed"
        self._close(ref)
        return "released"

    def _close(self, ref: uuid.UUID) -> None:
        hold = self.holds[ref]
        hold.is_open = False
        self.accounts[hold.account].held -= hold.amount

    def pay(self, user: User, source: Account, items: Sequence[Item], today: date) -> list[str | None]:
        """None for each paid item, the refusal's word for the others."""
        return [self._pay_one(user, source, item, today) for item in items]

    def _pay_one(self, user: User, source: Account, item: Item, today: date) -> str | None:
        found = self._destination(item.destination, source.currency)
        day = self.spent.get((user.id, today), 0)
        daily, monthly = DAILY[user.tier], MONTHLY[user.tier]
        is_above_limit = day + item.usd > daily or self._month(user, today) + item.usd > monthly
        checks = (
            ("CURRENCY_MISMATCH", item.currency != source.currency),
            ("PERMISSION_DENIED", source.is_frozen),
            ("INSUFFICIENT_BALANCE", source.balance - source.held < item.amount),
            ("KYC_REQUIRED", item.usd > daily and user.tier + 1 < len(DAILY)),
            ("DAILY_LIMIT_EXCEEDED", is_above_limit),
            (str(found), isinstance(found, str)),
            ("SAME_ACCOUNT", found is source),
        )
        refusal = next((word for word, is_refused in checks if is_refused), None)
        if refusal is None:
            assert isinstance(found, Account)
            source.balance -= item.amount
            found.balance += item.amount
            self.spent[user.id, today] = day + item.usd
        return refusal

    def _month(self, user: User, today: date) -> int:
        """US cents since the first of the month."""
        return sum(
            usd
            for (who, day), usd in self.spent.items()
            if who == user.id and today.replace(day=1) <= day <= today
        )

    def _destination(self, destination: str, currency: str) -> Account | str:
        wallets = sorted((a for a in self.accounts.values() if a.is_floored), key=lambda a: a.id)
        if "@" in destination:
            owners = [p.id for p in self.users.values() if p.email == destination]
            mine = [a for a in wallets if a.owner in owners and not a.is_frozen]
        else:
            mine = [a for a in wallets if a.public_id == destination]
        if not mine:
            return "RECIPIENT_NOT_FOUND"
        return next((a for a in mine if a.currency == currency), "CURRENCY_MISMATCH")

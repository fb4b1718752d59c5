"""The ledger's SQL functions, called directly on a connection of the test's own."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.database import one, run

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def open_account(
    opened: Any, *, currency: str = "USD", is_floored: bool = True, owner: uuid.UUID | None = None
) -> tuple[int, str]:
    """A new account's id and public id: a wallet when floored, else an external account."""
    public_id = "acc_" + secrets.token_hex(12)
    kind = "wallet" if is_floored else "external"
    account = one(
        opened,
        "SELECT account_open(%s, %s, NULL, %s::uuid, %s, 'personal', NULL, %s, %s)",
        NOW,
        public_id,
        str(owner) if owner else None,
        kind,
        currency,
        is_floored,
    )
    return account, public_id


def post(
    opened: Any,
    amounts: Mapping[int, int],
    *,
    ref: uuid.UUID | None = None,
    kind: str = "transfer",
    currency: str = "USD",
    hold: uuid.UUID | None = None,
) -> str:
    """The outcome of `ledger_post`."""
    accounts = sorted(amounts)
    outcome: str = one(
        opened,
        "SELECT ledger_post(%s, %s::uuid, NULL, %s, %s::uuid, %s, %s::bigint[], %s::bigint[], %s::uuid)",
        NOW,
        str(uuid.uuid4()),
        kind,
        str(ref or uuid.uuid4()),
        currency,
        accounts,
        [amounts[account] for account in accounts],
        str(hold) if hold else None,
    )
    return outcome


def fund(opened: Any, account: int, amount: int, *, currency: str = "USD") -> None:
    """Credit an account from a fresh account outside; the credit waits in the queue."""
    outside, _ = open_account(opened, currency=currency, is_floored=False)
    assert post(opened, {account: amount, outside: -amount}, currency=currency) == "posted"


def hold(opened: Any, account: int, amount: int, ref: uuid.UUID) -> str:
    outcome: str = one(opened, "SELECT hold_open(%s, %s::uuid, %s, %s)", NOW, str(ref), account, amount)
    return outcome


def release(opened: Any, ref: uuid.UUID) -> str:
    outcome: str = one(opened, "SELECT hold_release(%s, %s::uuid)", NOW, str(ref))
    return outcome


def balance(opened: Any, account: int) -> int:
    """What the view says: the row and what waits for it."""
    amount: int = one(opened, "SELECT balance FROM account_balances WHERE id = %s", account)
    return amount


def held(opened: Any, account: int) -> int:
    amount: int = one(opened, "SELECT held FROM accounts WHERE id = %s", account)
    return amount


def fold_all(opened: Any) -> int:
    """Fold until nothing waits; how many amounts there were."""
    total = 0
    while folded := one(opened, "SELECT fold(500)"):
        total += folded
    return total


def postings(opened: Any, account: int) -> list[int]:
    rows = run(opened, "SELECT amount FROM postings WHERE account_id = %s ORDER BY id", account)
    return [amount for (amount,) in rows]

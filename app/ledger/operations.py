"""Typed calls of the ledger's SQL functions, inside the caller's transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import ids
from app.errors import InsufficientBalance, PermissionDenied
from app.models.account import AccountBalance, AccountId, AccountKind


@dataclass(frozen=True, slots=True)
class Posted:
    """`entry_id` names the posted entry; `is_new` is False when this reference and kind was posted before."""

    entry_id: uuid.UUID
    is_new: bool


def open_account(
    session: Session,
    public_id: str,
    *,
    now: datetime,
    kind: AccountKind,
    currency: str,
    is_floored: bool,
    owner_id: uuid.UUID | None = None,
    tenant_id: uuid.UUID | None = None,
    wallet_type: str | None = None,
    name: str | None = None,
) -> AccountId:
    """Open an empty account and return its id. A floored one can never go below zero."""
    account_id: AccountId = session.execute(
        text(
            "SELECT account_open(:now, :public_id, :tenant, :owner, :kind, :type, :name, :currency, :floored)"
        ),
        {
            "now": now,
            "public_id": public_id,
            "tenant": tenant_id,
            "owner": owner_id,
            "kind": kind.value,
            "type": wallet_type,
            "name": name,
            "currency": currency,
            "floored": is_floored,
        },
    ).scalar_one()
    return account_id


def freeze(session: Session, account_id: AccountId, *, is_frozen: bool) -> None:
    """A frozen account refuses debits and holds, never credits."""
    session.execute(
        text("SELECT account_freeze(:account, :frozen)"), {"account": account_id, "frozen": is_frozen}
    )


def post(
    session: Session,
    kind: str,
    *,
    ref_id: uuid.UUID,
    now: datetime,
    currency: str,
    amounts: Mapping[AccountId, int],
    tenant_id: uuid.UUID | None = None,
    capture: uuid.UUID | None = None,
) -> Posted:
    """Post one entry: account id → signed minor units, summing to zero.

    (ref_id, kind) is posted at most once, however often this is called. `capture` names an open hold that the debit uses up.
    Raises InsufficientBalance or PermissionDenied (frozen, or the hold is closed); nothing is posted then.
    """
    entry_id = ids.uuid7()
    accounts = sorted(amounts)
    outcome = session.execute(
        text("SELECT ledger_post(:now, :entry, :tenant, :kind, :ref, :currency, :accounts, :amounts, :hold)"),
        {
            "now": now,
            "entry": entry_id,
            "tenant": tenant_id,
            "kind": kind,
            "ref": ref_id,
            "currency": currency,
            "accounts": accounts,
            "amounts": [amounts[account] for account in accounts],
            "hold": capture,
        },
    ).scalar_one()
    if outcome == "duplicate":
        known = session.execute(
            text("SELECT id FROM entries WHERE ref_id = :ref AND kind = :kind"), {"ref": ref_id, "kind": kind}
        ).scalar_one()
        return Posted(known, is_new=False)
    raise_refusal(outcome, "posted")
    return Posted(entry_id, is_new=True)


def hold(session: Session, ref_id: uuid.UUID, *, account_id: AccountId, amount: int, now: datetime) -> bool:
    """Set `amount` minor units aside under `ref_id`. False when that reference has a hold already.

    Raises InsufficientBalance, PermissionDenied (frozen).
    """
    outcome = session.execute(
        text("SELECT hold_open(:now, :ref, :account, :amount)"),
        {"now": now, "ref": ref_id, "account": account_id, "amount": amount},
    ).scalar_one()
    if outcome == "duplicate":
        return False
    raise_refusal(outcome, "held")
    return True


def spendable(session: Session, account_id: AccountId) -> int:
    """How many minor units a floored account can spend now; 0 when it is frozen. A posting may find less."""
    wanted = select(AccountBalance.balance - AccountBalance.held, AccountBalance.frozen)
    available, is_frozen = session.execute(wanted.where(AccountBalance.id == account_id)).one()
    return 0 if is_frozen else max(0, int(available))


def release(session: Session, ref_id: uuid.UUID, *, now: datetime) -> bool:
    """Free an open hold. False when it was closed before."""
    outcome = session.execute(
        text("SELECT hold_release(:now, :ref)"), {"now": now, "ref": ref_id}
    ).scalar_one()
    return bool(outcome == "released")


def fold(session: Session, *, limit: int) -> int:
    """Move up to `limit` waiting amounts into their balances; returns how many."""
    return int(session.execute(text("SELECT fold(:limit)"), {"limit": limit}).scalar_one())


def raise_refusal(outcome: str, expected: str) -> None:
    """Raises the error for the word a function of the ledger refused with: InsufficientBalance, PermissionDenied."""
    if outcome == expected:
        return
    if outcome == "insufficient":
        raise InsufficientBalance
    if outcome == "frozen":
        raise PermissionDenied("This wallet is frozen.")
    if outcome == "hold_closed":
        raise PermissionDenied("The hold for this amount is closed.")
    raise RuntimeError(f"the ledger answered {outcome!r}")

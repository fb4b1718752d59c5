"""Presenters of the Wallet API."""

from __future__ import annotations

from typing import Any

from app import ids
from app.clock import iso_z
from app.models.account import AccountBalance
from app.money import Money
from app.services.idempotency_service import Answer
from app.services.wallets import wallets
from app.services.wallets.direct_funding import Receipt


def wallet_view(wallet: AccountBalance) -> dict[str, Any]:
    """A wallet as its owner sees it. Amounts are decimal strings with the currency's decimals."""
    return {
        "id": wallet.public_id,
        "user_id": ids.public(ids.USER, wallet.owner_id) if wallet.owner_id else None,
        "currency": wallet.currency,
        "balance": str(Money(wallet.balance, wallet.currency)),
        "available_balance": str(wallets.available(wallet)),
        "type": wallet.wallet_type,
        "name": wallet.name,
        "status": "frozen" if wallet.frozen else "active",
        "created_at": iso_z(wallet.created_at),
    }


def wallet_opened(wallet: AccountBalance) -> Answer:
    return Answer(wallet_view(wallet), status=201)


def receipt(result: Receipt) -> Answer:
    """Of a deposit or withdrawal."""
    funding, wallet = result.funding, result.wallet
    body = {
        "transaction_id": result.transaction_id,
        "status": "completed",
        "type": funding.kind,
        "amount": str(Money(funding.amount, funding.currency)),
        "currency": funding.currency,
        "new_balance": str(Money(wallet.balance, wallet.currency)),
        "available_balance": str(wallets.available(wallet)),
        "wallet_id": wallet.public_id,
        "reference": funding.reference,
        "description": funding.description,
        "created_at": iso_z(funding.created_at),
    }
    return Answer(body)

"""Bodies of wallets, their history, deposits and withdrawals."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields as ma

from app.clock import iso_z
from app.http import fields
from app.http.schema import Schema
from app.services.wallets.wallets import MOVEMENT_TYPES, Movement

_TYPES: Final = ("personal", "business")
_MONEY: Final = {"examples": ["1000.00"], "description": "Decimal string in major units."}

MAX_PAGE: Final = 100


class WalletRequest(Schema):
    currency = fields.Currency(required=True)
    type = fields.Choice(*_TYPES, load_default="personal")
    name = fields.Text(allow_none=True, load_default=None, max_length=100)


class DepositRequest(Schema):
    amount = fields.Amount(required=True)
    source = fields.Choice("bank_transfer", "card", "external", required=True)
    currency = fields.Currency(metadata={"description": "ISO 4217; if given, it must be the wallet's."})
    reference = fields.Text(allow_none=True, max_length=255)
    description = fields.Text(allow_none=True, max_length=500, min_length=0)


class WithdrawalRequest(Schema):
    amount = fields.Amount(required=True)
    destination = fields.Text(
        required=True,
        max_length=255,
        metadata={"description": "Where the money goes, for example a bank account."},
    )
    currency = fields.Currency(metadata={"description": "ISO 4217; if given, it must be the wallet's."})
    reference = fields.Text(allow_none=True, max_length=255)
    description = fields.Text(allow_none=True, max_length=500, min_length=0)


class HistoryQuery(Schema):
    limit = fields.QueryNumber(minimum=1, maximum=MAX_PAGE, load_default=20)
    cursor = fields.Text(max_length=64, metadata={"description": "`next_cursor` of the page before."})


class WalletFacts(Schema):
    id = ma.String(metadata={"examples": ["acc_sender_123"]})
    user_id = ma.String()
    currency = ma.String()
    balance = ma.String(metadata=_MONEY)
    available_balance = ma.String(metadata=_MONEY | {"description": "The balance less what is held."})
    type = ma.String(metadata={"enum": list(_TYPES)})
    name = ma.String(allow_none=True)
    status = ma.String(metadata={"enum": ["active", "frozen"]})
    created_at = ma.String()


class MovementFacts(Schema):
    id = ma.String(metadata={"examples": ["txn_0195f3a0b1c27d8e9f00112233445566"]})
    type = ma.String(metadata={"enum": [*MOVEMENT_TYPES.values(), "credit", "debit"]})
    amount = ma.String(metadata=_MONEY | {"description": "Always positive: `type` tells the direction."})
    currency = ma.String()
    status = ma.String()
    timestamp = ma.String()
    payment_id = ma.String(allow_none=True)


class WalletsAnswer(Schema):
    accounts = ma.List(ma.Nested(WalletFacts))


class WalletAnswer(Schema):
    account = ma.Nested(WalletFacts)
    recent_transactions = ma.List(ma.Nested(MovementFacts))


class HistoryAnswer(Schema):
    transactions = ma.List(ma.Nested(MovementFacts))
    next_cursor = ma.String(allow_none=True, metadata={"description": "Null on the last page."})


class CashReceipt(Schema):
    transaction_id = ma.String()
    status = ma.String(metadata={"enum": ["completed"]})
    type = ma.String(metadata={"enum": ["deposit", "withdrawal"]})
    amount = ma.String(metadata=_MONEY)
    currency = ma.String()
    new_balance = ma.String(metadata=_MONEY)
    available_balance = ma.String(metadata=_MONEY)
    wallet_id = ma.String()
    reference = ma.String(allow_none=True)
    description = ma.String(allow_none=True)
    created_at = ma.String()


def movement_view(movement: Movement) -> dict[str, Any]:
    """A movement as its wallet's owner sees it."""
    return {
        "id": movement.transaction_id,
        "type": movement.type,
        "amount": str(movement.amount),
        "currency": movement.amount.currency,
        "status": movement.status,
        "timestamp": iso_z(movement.at),
        "payment_id": movement.payment_id,
    }

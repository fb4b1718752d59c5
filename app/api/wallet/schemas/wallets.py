"""Bodies of wallets, their history, deposits and withdrawals."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from marshmallow import fields as ma

from app.clock import iso_z
from app.http import fields
from app.http.answers import Amount, Answer, Time, one_of
from app.http.schema import Schema
from app.services.wallets.wallets import MOVEMENT_TYPES, Movement

_TYPES: Final = ("personal", "business")

MAX_PAGE: Final = 100


class WalletRequest(Schema):
    examples: ClassVar = {
        "personal": {"currency": "USD"},
        "business": {"currency": "KES", "type": "business", "name": "Shop till"},
    }

    currency = fields.Currency(required=True)
    type = fields.Choice(*_TYPES, load_default="personal")
    name = fields.FreeText(allow_none=True, load_default=None, max_length=100)


class DepositRequest(Schema):
    examples: ClassVar = {
        "bank transfer": {"amount": 500.00, "source": "bank_transfer", "reference": "DEP-001"},
        "card": {"amount": "1000.00", "source": "card", "description": "Top up"},
    }

    amount = fields.Amount(required=True)
    source = fields.Choice("bank_transfer", "card", "external", required=True)
    currency = fields.Currency(metadata={"description": "ISO 4217; if given, it must be the wallet's."})
    reference = fields.FreeText(allow_none=True, max_length=255)
    description = fields.FreeText(allow_none=True, max_length=500, min_length=0)


class WithdrawalRequest(Schema):
    examples: ClassVar = {
        "to a bank": {"amount": 50.00, "destination": "bank_account_1", "reference": "WD-001"}
    }

    amount = fields.Amount(required=True)
    destination = fields.Text(
        required=True,
        max_length=255,
        metadata={"description": "Where the money goes, for example a bank account."},
    )
    currency = fields.Currency(metadata={"description": "ISO 4217; if given, it must be the wallet's."})
    reference = fields.FreeText(allow_none=True, max_length=255)
    description = fields.FreeText(allow_none=True, max_length=500, min_length=0)


class HistoryQuery(Schema):
    limit = fields.QueryNumber(minimum=1, maximum=MAX_PAGE, load_default=20)
    cursor = fields.Text(max_length=64, metadata={"description": "`next_cursor` of the page before."})


class WalletFacts(Answer):
    id = ma.String(metadata={"examples": ["acc_sender_123"]})
    user_id = ma.String()
    currency = ma.String()
    balance = Amount()
    available_balance = Amount(metadata={"description": "The balance less what is held."})
    type = one_of(*_TYPES)
    name = ma.String(allow_none=True)
    status = one_of("active", "frozen")
    created_at = Time()


class MovementFacts(Answer):
    id = ma.String(metadata={"examples": ["txn_0195f3a0b1c27d8e9f00112233445566"]})
    type = one_of(*MOVEMENT_TYPES.values(), "credit", "debit")
    amount = Amount(metadata={"description": "Always positive: `type` has the direction."})
    currency = ma.String()
    status = ma.String()
    timestamp = Time()
    payment_id = ma.String(allow_none=True)


class WalletsAnswer(Answer):
    accounts = ma.List(ma.Nested(WalletFacts))


class WalletAnswer(Answer):
    account = ma.Nested(WalletFacts)
    recent_transactions = ma.List(ma.Nested(MovementFacts))


class HistoryAnswer(Answer):
    transactions = ma.List(ma.Nested(MovementFacts))
    next_cursor = ma.String(allow_none=True, metadata={"description": "Null on the last page."})


class CashReceipt(Answer):
    transaction_id = ma.String()
    status = one_of("completed")
    type = one_of("deposit", "withdrawal")
    amount = Amount()
    currency = ma.String()
    new_balance = Amount()
    available_balance = Amount()
    wallet_id = ma.String()
    reference = ma.String(allow_none=True)
    description = ma.String(allow_none=True)
    created_at = Time()


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

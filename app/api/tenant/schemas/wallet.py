"""Queries and answers about the tenant's wallet."""

from __future__ import annotations

from typing import Final

from marshmallow import fields as ma

from app.api.gateway.schemas.payment_query import Moment
from app.api.tenant.schemas.orders import amount_number
from app.http import fields
from app.http.answers import Answer, Time
from app.http.pagination import DEFAULT_LIMIT, MAX_LIMIT
from app.http.schema import Schema
from app.services.tenant_wallets import lines

FORMATS: Final = ("json", "csv")


class BalanceQuery(Schema):
    currency = fields.Currency(metadata={"description": "Default: the tenant's."})


class LineQuery(Schema):
    type = fields.Choice(*lines.TYPES)
    currency = fields.Currency(metadata={"description": "Default: every currency."})
    since = Moment(data_key="from", metadata={"description": "A date (UTC) or a time."})
    before = Moment(
        data_key="to",
        is_end=True,
        metadata={"description": "A date (UTC), which is included, or a time, which is not."},
    )
    cursor = fields.Text(
        max_length=40,
        metadata={"description": "`next_cursor` of the page before, with the same filters."},
    )
    limit = fields.QueryNumber(
        minimum=1,
        maximum=MAX_LIMIT,
        load_default=DEFAULT_LIMIT,
        metadata={"description": "Lines of a page; default 20. A CSV has up to 10,000 whatever this says."},
    )
    format = fields.Choice(*FORMATS, metadata={"description": "Default: what the header `Accept` asks for."})


class StatementQuery(Schema):
    currency = fields.Currency(metadata={"description": "Default: the tenant's."})
    since = Moment(data_key="from", required=True, metadata={"description": "A date (UTC) or a time."})
    before = Moment(
        data_key="to",
        is_end=True,
        required=True,
        metadata={"description": "A date (UTC), which is included, or a time, which is not."},
    )


class TenantBalance(Answer):
    wallet_balance = amount_number()
    available_balance = amount_number(description="What is not held.")
    held = amount_number(description="For refunds and withdrawals on their way.")
    in_suspense = amount_number(description="Collected, and waits for an operator's decision.")
    owed = amount_number(description="To the platform: reversals and fees that the wallet did not cover.")
    direct = amount_number(description="Collected on provider accounts of your own: you have it already.")
    currency = ma.String(metadata={"examples": ["KES"]})


class TenantBalances(TenantBalance):
    balances = ma.List(ma.Nested(TenantBalance), metadata={"description": "Of every currency."})


class WalletLine(Answer):
    """A change of the wallet's balance."""

    id = ma.String(metadata={"examples": ["txn_0195f3a0b1c27d8e9f00112233445566"]})
    type = ma.String(metadata={"enum": [*lines.TYPES], "description": "More may be added."})
    amount = amount_number(description="Signed: what it changed.")
    currency = ma.String(metadata={"examples": ["KES"]})
    created_at = Time()
    payment_id = ma.UUID(allow_none=True)
    refund_id = ma.UUID(allow_none=True)
    withdrawal_id = ma.UUID(allow_none=True)
    order_id = ma.UUID(allow_none=True)
    reference = ma.String(allow_none=True, metadata={"description": "Yours, of the payment."})


class WalletLines(Answer):
    count = ma.Integer(metadata={"description": "Of this page."})
    results = ma.List(ma.Nested(WalletLine))
    next_cursor = ma.String(
        allow_none=True,
        metadata={
            "description": "Null on the last page. A page of a rare type may have fewer lines than asked for, or none, and a cursor."
        },
    )


class WalletStatement(Answer):
    currency = ma.String(metadata={"examples": ["KES"]})
    since = Time(data_key="from")
    before = Time(data_key="to", metadata={"description": "Not included."})
    opening_balance = amount_number()
    closing_balance = amount_number(description="The opening balance and all amounts.")
    count = ma.Integer()
    results = ma.List(ma.Nested(WalletLine), metadata={"description": "Oldest first."})

"""Presenters of the tenant's wallet, and its lines as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from app.clock import iso_z
from app.http.numbers import number
from app.services.tenant_wallets.balances import WalletBalance
from app.services.tenant_wallets.lines import Line
from app.services.tenant_wallets.statements import Statement

COLUMNS: Final = (
    "id",
    "type",
    "amount",
    "currency",
    "created_at",
    "payment_id",
    "refund_id",
    "withdrawal_id",
    "order_id",
    "reference",
)

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet takes for a formula."""


def balance_view(balance: WalletBalance) -> dict[str, Any]:
    return {
        "wallet_balance": number(balance.balance),
        "available_balance": number(balance.available),
        "held": number(balance.held),
        "in_suspense": number(balance.in_suspense),
        "owed": number(balance.owed),
        "direct": number(balance.direct),
        "currency": balance.currency,
    }


def line_view(line: Line) -> dict[str, Any]:
    return _facts(line) | {"amount": number(line.amount)}


def statement_view(statement: Statement) -> dict[str, Any]:
    return {
        "currency": statement.opening.currency,
        "from": iso_z(statement.since),
        "to": iso_z(statement.before),
        "opening_balance": number(statement.opening),
        "closing_balance": number(statement.closing),
        "count": len(statement.lines),
        "results": [line_view(line) for line in statement.lines],
    }


def csv_of(lines: Sequence[Line]) -> str:
    """RFC 4180, with a row of names. Amounts are numbers with a point; every other cell is safe from being a formula."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(COLUMNS)
    for line in lines:
        facts = {name: _cell(value) for name, value in _facts(line).items()} | {"amount": str(line.amount)}
        rows.writerow([facts[name] for name in COLUMNS])
    return written.getvalue()


def _facts(line: Line) -> dict[str, Any]:
    ids = {
        "payment_id": line.payment_id,
        "refund_id": line.refund_id,
        "withdrawal_id": line.withdrawal_id,
        "order_id": line.order_id,
    }
    return {
        "id": line.id,
        "type": line.type,
        "currency": line.amount.currency,
        "created_at": iso_z(line.at),
        **{name: None if value is None else str(value) for name, value in ids.items()},
        "reference": line.reference,
    }


def _cell(value: str | None) -> str:
    text = value or ""
    return f"'{text}" if text.startswith(_FORMULA) else text

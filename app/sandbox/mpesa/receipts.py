"""Receipts: one for every movement of money, by which it is reversed, asked about and listed."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from app import clock
from app.sandbox.core import Sandbox
from app.sandbox.mpesa.replies import receipt_number

Movement = Literal["push", "c2b", "b2c", "b2b", "reversal"]

OPENING_BALANCE = Decimal(1_000_000)
"""Shillings of every shortcode before anything happens."""


def new_receipt(
    sandbox: Sandbox, kind: Movement, *, of: str, amount: int, phone: str, reference: str, shortcode: str
) -> str:
    """Write a receipt down. of: the id of the push or command; phone: the other party."""
    while True:
        receipt = receipt_number()
        kept = {
            "receipt": receipt, "kind": kind, "of": of, "amount": amount, "phone": phone, "reference": reference,
            "shortcode": shortcode, "at": clock.iso_z(sandbox.now()), "is_reversed": False,
        }  # fmt: skip
        if sandbox.store.insert("mpesa", "receipt", receipt, kept):
            return receipt


def balance(sandbox: Sandbox) -> Decimal:
    """What the merchant has, by the book."""
    totals = sandbox.book.read("mpesa")["totals"].get("KES", {"net": "0"})
    return OPENING_BALANCE + Decimal(totals["net"])

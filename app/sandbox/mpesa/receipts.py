"""Receipts: every movement of money has one, by which it is reversed, queried and listed."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from app import clock
from app.sandbox.core import Sandbox
from app.sandbox.mpesa.replies import receipt_number
from app.sandbox.store import Document

Movement = Literal["push", "c2b", "b2c", "b2b", "reversal"]

OPENING_BALANCE = Decimal(1_000_000)
"""Shillings of every shortcode at the start."""


def new_receipt(
    sandbox: Sandbox, kind: Movement, *, of: str, amount: int, phone: str, reference: str, shortcode: str
) -> str:
    """Store a receipt; its number. of: the id of the push or command; phone: the other party."""
    while True:
        number = receipt_number()
        receipt = {
            "receipt": number,
            "kind": kind,
            "of": of,
            "amount": amount,
            "phone": phone,
            "reference": reference,
            "shortcode": shortcode,
            "at": clock.iso_z(sandbox.now()),
            "is_reversed": False,
        }
        if sandbox.store.insert("mpesa", "receipt", number, receipt):
            return number


def record_collection(
    sandbox: Sandbox,
    kind: Literal["push", "c2b"],
    *,
    of: str,
    amount: int,
    phone: str,
    reference: str,
    shortcode: str,
) -> str:
    """Record a charge; the number of its receipt. The parameters are those of `new_receipt`."""
    number = new_receipt(
        sandbox, kind, of=of, amount=amount, phone=phone, reference=reference, shortcode=shortcode
    )
    sandbox.records.add(
        "mpesa", "charge", reference=reference, id=number, amount=Decimal(amount), currency="KES"
    )
    return number


def record_command(
    sandbox: Sandbox,
    command: Document,
    *,
    kind: Literal["payout", "refund"],
    receipt_reference: str,
    reference: str,
) -> None:
    """Record the money that a command moves, and set the command's receipt."""
    command["receipt"] = new_receipt(
        sandbox,
        command["operation"],
        of=command["conversation"],
        amount=command["amount"],
        phone=command["party_b"],
        reference=receipt_reference,
        shortcode=command["party_a"],
    )
    sandbox.records.add(
        "mpesa",
        kind,
        reference=reference,
        id=command["receipt"],
        amount=Decimal(command["amount"]),
        currency="KES",
    )


def balance(sandbox: Sandbox) -> Decimal:
    """What the merchant has: the opening balance and all recorded movements."""
    totals = sandbox.records.read("mpesa")["totals"].get("KES", {"net": "0"})
    return OPENING_BALANCE + Decimal(totals["net"])

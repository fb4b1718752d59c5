"""The ledger: double entry, insert-only, in the database. Everything else uses these functions.

Every change of balances is an entry of one currency whose postings sum to zero. A posting that lowers a floored account (a
wallet) locks its row; every other posting only appends, and `fold` adds it to the balance later. Each function here is
one SQL function (sql/), so no caller can post half an entry, and the application's role can change the ledger in no other way.
"""

from app.ledger.check import Finding, check
from app.ledger.operations import (
    fold,
    freeze,
    hold,
    open_account,
    post,
    raise_refusal,
    release,
    spendable,
)

__all__ = [
    "Finding",
    "check",
    "fold",
    "freeze",
    "hold",
    "open_account",
    "post",
    "raise_refusal",
    "release",
    "spendable",
]

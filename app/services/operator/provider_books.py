"""Compares the simulators' own books with the clearing accounts: what each has collected, refunded and paid out.

Only where the simulators stand for the providers. A real provider's book is its statement.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import requests
from sqlalchemy import select

from app import json_numbers
from app.ledger import Finding
from app.models.account import AccountBalance, AccountKind
from app.money import EXPONENTS
from app.unit_of_work import reading

RULE: Final = "clearing equals the simulator's book"

TIMEOUT_S: Final = 5.0
PATIENCE_S: Final = 5.0
"""A callback that is under way explains a difference: it is looked at again for so long."""

Books = Mapping[tuple[str, str], int]
"""(provider, currency) → minor units that it holds for us."""


def compare(sandbox_url: str) -> list[Finding] | None:
    """The differences that last; None: the simulators do not answer."""
    until = time.monotonic() + PATIENCE_S
    while True:
        books = _books(sandbox_url)
        if books is None:
            return None
        findings = _differences(books, _clearing())
        if not findings or time.monotonic() >= until:
            return findings
        time.sleep(0.5)


def _books(sandbox_url: str) -> Books | None:
    try:
        answer = requests.get(f"{sandbox_url.rstrip('/')}/sandbox/book", timeout=TIMEOUT_S)
        answer.raise_for_status()
        totals = json_numbers.loads(answer.text)["totals"]
    except requests.RequestException:
        return None
    return {
        (provider, currency): int(_held(moved).scaleb(EXPONENTS[currency]))
        for provider, currencies in totals.items()
        for currency, moved in currencies.items()
    }


def _held(moved: Mapping[str, str]) -> Decimal:
    return Decimal(moved["charge"]) - Decimal(moved["refund"]) - Decimal(moved["payout"])


def _clearing() -> Books:
    """Of all accounts at a provider, the tenants' own too: one simulator stands for them all."""
    wanted = select(AccountBalance.public_id, AccountBalance.balance).where(
        AccountBalance.kind == AccountKind.CLEARING
    )
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    with reading() as session:
        for public_id, balance in session.execute(wanted):
            _, account, currency = public_id.split(":")
            found[account.partition(".")[0], currency] -= balance
    return found


def _differences(books: Books, clearing: Books) -> list[Finding]:
    return [
        Finding(RULE, f"{provider}:{currency}", str(held), str(clearing.get((provider, currency), 0)))
        for (provider, currency), held in sorted(books.items())
        if held != clearing.get((provider, currency), 0)
    ]

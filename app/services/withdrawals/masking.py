"""Payout details as they are shown to people who need not know them: events, logs, mails, pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SHOWN_AT_START: Final = 4
SHOWN_AT_END: Final = 2
LONG: Final = 9
"""Characters from which on the first ones are shown, too."""

_NAMES: Final = frozenset({"account_name", "bank_code"})
"""By themselves they identify no person and no account."""


def masked(details: Mapping[str, str]) -> Mapping[str, str]:
    """`254712345678` becomes `2547******78`; shorter numbers show their last two digits."""
    return {name: text if name in _NAMES else _masked(text) for name, text in details.items()}


def _masked(number: str) -> str:
    start = SHOWN_AT_START if len(number) >= LONG else 0
    hidden = max(0, len(number) - start - SHOWN_AT_END)
    return number[:start] + "*" * hidden + number[len(number) - SHOWN_AT_END :]

"""Details of payment methods as events and logs show them: enough to recognize a method, not enough to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SHOWN: Final = frozenset({"last4", "bank", "brand", "payment_method"})
"""Details that are made for being shown."""

_BEGINNING, _END = 4, 2


def masked_details(details: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value if name in SHOWN else masked(value) for name, value in details.items()}


def masked(text: str) -> str:
    """`2547******78`; a short text not at all."""
    hidden = len(text) - _BEGINNING - _END
    if hidden < _BEGINNING:
        return "*" * len(text)
    return f"{text[:_BEGINNING]}{'*' * hidden}{text[-_END:]}"

"""What a saved payment method holds at a provider: the names of its details, and what is checked of every one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import InvalidRequest

MAX_DETAIL: Final = 128
"""Characters of one detail of a saved method."""

LAST4: Final = "last4"

_FOUR_DIGITS: Final = re.compile(r"[0-9]{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """required, optional: names of the details (document 002). id_parts: the details that tell two methods of a customer apart;
    they are part of a path, so they hold no slash."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    id_parts: tuple[str, ...] = ()

    def read(self, details: Mapping[str, object], *, title: str) -> dict[str, str]:
        """The details, those without a value left out. Raises InvalidRequest; title: of the provider, for the sentence."""
        given = {name: value for name, value in details.items() if value not in (None, "")}
        if unknown := sorted(set(given) - {*self.required, *self.optional}):
            raise InvalidRequest(f"{title} method has no {unknown[0][:MAX_DETAIL]}", field="details")
        if missing := [name for name in self.required if name not in given]:
            raise InvalidRequest(f"{title} method requires {', '.join(missing)}", field="details")
        return {name: self._text(name, value) for name, value in given.items()}

    def _text(self, name: str, value: object) -> str:
        is_text = isinstance(value, str) and value.isprintable() and value == value.strip()
        if not is_text or (name in self.id_parts and "/" in str(value)):
            raise InvalidRequest(f"{name} is not written as it should be", field=f"details.{name}")
        if len(str(value)) > MAX_DETAIL:
            raise InvalidRequest(f"{name} is longer than {MAX_DETAIL} characters", field=f"details.{name}")
        if name == LAST4 and not _FOUR_DIGITS.fullmatch(str(value)):
            raise InvalidRequest("last4 must be four digits", field="details.last4")
        return str(value)


def last4_of(account: object) -> dict[str, str]:
    """`{"last4": …}` of a card's or an account's number, masked or not; empty where it does not end in four digits."""
    end = account[-4:] if isinstance(account, str) else ""
    return {LAST4: end} if _FOUR_DIGITS.fullmatch(end) else {}

"""What a setting is: one environment variable, its default, and how its text is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. `default` serves demo and test; `production` replaces it there (None: same)."""

    name: str
    about: str
    default: str = ""
    production: str | None = None
    secret: bool = False
    parse: Callable[[str], Any] = str


def words(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def flag(text: str) -> bool:
    """`true` or `false`. Raises ValueError."""
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("expected true or false")
    return text.lower() in ("true", "1")


def seconds(text: str) -> float | None:
    """A number of seconds; an empty text or `off`: None. Raises ValueError."""
    return None if text in ("", "off") else float(text)

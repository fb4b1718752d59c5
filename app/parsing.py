"""How the text of a setting is read. Every reader raises ValueError and says what it expected."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from urllib.parse import urlsplit


def words(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def flag(text: str) -> bool:
    """`true` or `false`. Raises ValueError."""
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("expected true or false")
    return text.lower() in ("true", "1")


def one_of(*known: str) -> Callable[[str], str]:
    """One of these words, in any case. The reader raises ValueError."""

    def read(text: str) -> str:
        found = next((word for word in known if word.lower() == text.lower()), None)
        if found is None:
            raise ValueError(f"expected {' or '.join(known)}")
        return found

    return read


def positive_seconds(text: str) -> float:
    """A number of seconds above zero. Raises ValueError."""
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError("expected a number of seconds above zero")
    return number


def web_address(text: str) -> str:
    """An http or https address without a slash at its end, or nothing. Raises ValueError."""
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("expected an address such as https://pay.example.com")
    return text.rstrip("/")


def networks(text: str) -> str:
    """IP addresses and networks, comma separated. Raises ValueError."""
    try:
        return ",".join(str(ipaddress.ip_network(word)) for word in words(text))
    except ValueError:
        raise ValueError("expected IP addresses or networks, comma separated") from None


def seconds(text: str) -> float | None:
    """A number of seconds; an empty text or `off`: None. Raises ValueError."""
    return None if text in ("", "off") else float(text)


def is_loopback(address: str | None) -> bool:
    """Whether it is an IP address of this host or container itself."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False

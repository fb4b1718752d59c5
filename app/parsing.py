"""How the text of a setting is read. Every reader raises ValueError and says what it expected, without the text itself."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?")

_PLAIN_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")

_RATE: Final = re.compile(r"[1-9]\d{0,8}\s*(/|per)\s*([1-9]\d{0,3}\s*)?(second|minute|hour|day)s?", re.ASCII)

_URL_TEXT: Final = re.compile(r"[!-~]*")

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

MAX_MAIL_ADDRESS: Final = 254
"""Characters (RFC 5321, with the errata)."""

_MAX_MAIL_LOCAL: Final = 64

# ASCII only: look-alike letters must not make a second address. International domains come in their xn-- form.
_MAIL_LOCAL: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_MAIL_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_MAIL_ADDRESS: Final = re.compile(
    rf"{_MAIL_LOCAL}@(?:{_MAIL_LABEL}\.)+{_MAIL_LABEL}", re.IGNORECASE | re.ASCII
)
_NAMED_SENDER: Final = re.compile(r"(?P<quote>\"?)(?P<name>[^\"<>\\]*)(?P=quote)\s*<(?P<address>[^<>]*)>")


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


def whole(at_least: int, at_most: int) -> Callable[[str], int]:
    """A whole number within these bounds, both included. The reader raises ValueError."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(at_most)) else -1
        if not at_least <= number <= at_most:
            raise ValueError(f"expected a whole number from {at_least} to {at_most}")
        return number

    return read


def positive_seconds(at_most: float) -> Callable[[str], float]:
    """A number of seconds above zero. The reader raises ValueError."""

    def read(text: str) -> float:
        number = _number(text)
        if number is None or not 0 < number <= at_most:
            raise ValueError(f"expected a number of seconds above zero, at most {at_most:g}")
        return number

    return read


def seconds(at_most: float) -> Callable[[str], float | None]:
    """A number of seconds; an empty text or `off`: None. The reader raises ValueError."""

    def read(text: str) -> float | None:
        if text in ("", "off"):
            return None
        number = _number(text)
        if number is None or not 0 <= number <= at_most:
            raise ValueError(f"expected a number of seconds from 0 to {at_most:g}, or off")
        return number

    return read


def _number(text: str) -> float | None:
    return float(text) if _PLAIN_NUMBER.fullmatch(text) else None


def rate(text: str) -> str:
    """How many requests in how long, such as `30/minute`; none is no rate. Raises ValueError."""
    if _RATE.fullmatch(text) is None:
        raise ValueError("expected a number above zero and a unit of time, such as 30/minute")
    return text


def web_address(text: str) -> str:
    """An http or https address without a slash at its end, or nothing. Raises ValueError."""
    if text and (_web_parts(text) is None or set("?#") & set(text)):
        raise ValueError("expected an address such as https://pay.example.com")
    return text.rstrip("/")


def page_address(text: str) -> str:
    """The http or https address of a page, or nothing. Raises ValueError."""
    if text and _web_parts(text) is None:
        raise ValueError("expected the address of a page, such as https://shop.example.com/thanks")
    return text


def origins(text: str) -> tuple[str, ...]:
    """Origins of browser pages, comma separated, as browsers write them. Raises ValueError."""
    return tuple(_origin(word.lower()) for word in words(text))


def _origin(text: str) -> str:
    parts = _web_parts(text)
    if parts is None or parts.path not in ("", "/") or set("?#[") & set(text):
        raise ValueError(
            "expected origins such as https://shop.example.com, comma separated; * would let every site call"
        )
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


BOOKING_ID: Final = "{booking_id}"


def page_url(text: str) -> str:
    """The address of a page about one booking, with BOOKING_ID where the id goes, or nothing. Raises ValueError."""
    if text and (BOOKING_ID not in text or _web_parts(text.replace(BOOKING_ID, "id")) is None):
        raise ValueError(f"expected an address such as https://www.example.com/stays/{BOOKING_ID}")
    return text


def _web_parts(text: str) -> SplitResult | None:
    """The parts of an http or https address that names a host and no user; None for any other text."""
    try:
        parts = urlsplit(text)
        is_ours = parts.scheme in _DEFAULT_PORTS and parts.username is None and parts.port != 0
    except ValueError:
        return None
    is_written = _URL_TEXT.fullmatch(text) is not None and "\\" not in text
    return parts if is_ours and is_written and is_host(parts.hostname or "") else None


def is_host(text: str) -> bool:
    """Whether it is a host's name, or an IP address without brackets."""
    return (":" in text and _is_ip(text)) or _HOST_NAME.fullmatch(text) is not None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def host_name(text: str) -> str:
    """A host's name, or an IP address without brackets, or nothing. Raises ValueError."""
    if text and not is_host(text):
        raise ValueError("expected the name of a host, such as smtp.example.com, without a port")
    return text


def host_names(text: str) -> tuple[str, ...]:
    """Hosts without ports, comma separated, in lower case; IPv6 addresses in brackets, as a browser's. Raises ValueError."""
    return tuple(_host_name(word.lower()) for word in words(text))


def _host_name(text: str) -> str:
    name = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not is_host(name):
        raise ValueError("expected names of hosts, such as demo.internal, comma separated")
    return f"[{name}]" if ":" in name else name


def socket_address(text: str) -> tuple[str, int]:
    """`host:port`, an IPv6 address in brackets: both parts, without the brackets. Raises ValueError."""
    host, _, port = text.rpartition(":")
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_bracketed = name != host
    if not is_host(name) or is_bracketed != (":" in name) or not _is_port(port):
        raise ValueError("expected host:port, such as 127.0.0.1:5000")
    return name, int(port)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65_536


def bind_address(text: str) -> str:
    """`host:port`. Raises ValueError."""
    socket_address(text)
    return text


def bind_addresses(text: str) -> str:
    """Addresses to listen on, `host:port` or `unix:path`, comma separated. Raises ValueError."""
    found = words(text)
    for word in found:
        if not (word.startswith("unix:") and word != "unix:"):
            socket_address(word)
    if not found:
        raise ValueError("expected host:port, such as 127.0.0.1:5000")
    return ",".join(found)


def server_url(*schemes: str, example: str) -> Callable[[str], str]:
    """The URL of a database server, or nothing; it may hold a password, so no error shows it. The reader raises ValueError."""

    def read(text: str) -> str:
        if text and not _is_server_url(text, schemes):
            raise ValueError(f"expected a URL such as {example}")
        return text

    return read


def _is_server_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        # Several hosts, which libpq takes, have several ports; a socket has none.
        return parts.scheme in schemes and "://" in text and ("," in parts.netloc or parts.port != 0)
    except ValueError:
        return False


def networks(text: str) -> str:
    """IP addresses and networks, comma separated. Raises ValueError."""
    try:
        return ",".join(str(ipaddress.ip_network(word)) for word in words(text))
    except ValueError:
        raise ValueError("expected IP addresses or networks, comma separated") from None


def is_loopback(address: str | None) -> bool:
    """Whether it is an IP address of this host or container itself."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def is_this_machine(host: str) -> bool:
    """Whether connections to this host name or IP address never leave this host or container."""
    return host.lower() == "localhost" or is_loopback(host)


def is_mail_address(text: str) -> bool:
    """Whether it is one plain e-mail address: no name, no quotes, no space."""
    is_short = len(text) <= MAX_MAIL_ADDRESS and len(text.partition("@")[0]) <= _MAX_MAIL_LOCAL
    return is_short and _MAIL_ADDRESS.fullmatch(text) is not None


def sender_parts(text: str) -> tuple[str, str]:
    """Name (may be empty) and address of `address` or `Name <address>`. Raises ValueError."""
    named = _NAMED_SENDER.fullmatch(text)
    name, address = (named["name"].strip(), named["address"]) if named else ("", text)
    if not is_mail_address(address) or has_control_characters(name):
        raise ValueError("expected an address, such as noreply@example.com, or Name <noreply@example.com>")
    return name, address


def sender(text: str) -> str:
    """Who mails are from. Raises ValueError."""
    sender_parts(text)
    return text


def has_control_characters(text: str) -> bool:
    """Whether a mail's header must not have it: control characters, line and paragraph separators, surrogates."""
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)

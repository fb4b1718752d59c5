"""Where a webhook may be sent: which URLs, and which network addresses their hosts have.

Guarantees: a merchant's URL never makes the gateway connect to itself, its network or a cloud's metadata service. The URL is checked
when it is registered; the addresses of its host then, and again for each sending, which connects to the checked address itself. In demo
and test mode exactly the hosts localhost, 127.0.0.1 and [::1] are allowed, over http too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from app.services.deadlines import addresses_of

MAX_URL: Final = 2048
"""Characters."""

RESOLVE_S: Final = 5.0
"""Longest time to wait for the addresses of a name."""

LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.IGNORECASE,
)
"""Two labels at least, and the last one does not begin with a digit, so that no spelling of a number is a name."""

_REFUSED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "192.88.99.0/24",  # the former relays of 6to4
        "168.63.129.16/32",  # a cloud's services for its own machines
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_NAT64: Final = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class Problem(StrEnum):
    """Why a URL is refused."""

    FORMAT = "invalid_format"
    SCHEME = "invalid_scheme"
    HOST = "invalid_value"


class UrlRefused(Exception):
    """No webhook is sent there. message: one sentence for its merchant."""

    def __init__(self, problem: Problem, message: str) -> None:
        super().__init__(message)
        self.problem = problem
        self.message = message


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL that may be sent to. host: lower case, of IPv6 without brackets. target: path and query. authority: host and port, as the
    header Host has them."""

    is_tls: bool
    host: str
    port: int
    target: str
    authority: str

    @property
    def is_local(self) -> bool:
        return self.host in LOCAL_HOSTS


def parse(url: str, *, is_production: bool) -> Destination:
    """Raises UrlRefused. No network is used."""
    if not _PRINTABLE.fullmatch(url) or len(url) > MAX_URL:
        raise UrlRefused(Problem.FORMAT, "The URL must be printable ASCII, percent-encoded, without spaces.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise UrlRefused(Problem.FORMAT, "The URL is not valid.") from None
    if parts.scheme not in ("http", "https"):
        raise UrlRefused(Problem.SCHEME, "The URL must begin with https://.")
    if "@" in parts.netloc or "#" in url or not host or port == 0:
        raise UrlRefused(Problem.FORMAT, "The URL needs a host, and takes no user, password or fragment.")
    is_local = not is_production and host in LOCAL_HOSTS
    if parts.scheme == "http" and not is_local:
        raise UrlRefused(Problem.SCHEME, "The URL must begin with https://.")
    if not is_local:
        _require_public_host(host)
    is_tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return Destination(is_tls, host, port or (443 if is_tls else 80), target, authority)


def check(url: str, *, is_production: bool) -> None:
    """For registration: the URL, and the addresses of its host. A name that does not resolve now is accepted. Raises UrlRefused."""
    destination = parse(url, is_production=is_production)
    try:
        resolve(destination)
    except OSError:
        return


def resolve(destination: Destination, *, within_s: float = RESOLVE_S) -> Sequence[str]:
    """The addresses that may be connected to, in the resolver's order.

    Raises UrlRefused when any address of the host is not a public one; OSError (TimeoutError, too) when there is none.
    """
    found = addresses_of(destination.host, destination.port, within_s=within_s)
    for text in found:
        address = ip_address(text)
        if not (address.is_loopback if destination.is_local else is_public(address)):
            raise UrlRefused(
                Problem.HOST, "The URL's host has an address that is not on the public internet."
            )
    return found


def is_public(address: Address) -> bool:
    """Whether it is a host on the internet, also where an IPv4 address is written inside an IPv6 one."""
    if isinstance(address, IPv4Address):
        is_refused = address.is_multicast or any(address in network for network in _REFUSED_V4)
        return address.is_global and not address.is_reserved and not is_refused
    if address in _NAT64 or address in _SIX_TO_FOUR:
        shift = 0 if address in _NAT64 else 80
        return is_public(IPv4Address((int(address) >> shift) & 0xFFFF_FFFF))
    return address in _GLOBAL_V6 and address.is_global


def _require_public_host(host: str) -> None:
    """Raises UrlRefused: a literal that is not public, a name without a dot, or any unusual spelling."""
    try:
        address = ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host):
            raise UrlRefused(
                Problem.HOST, "The URL's host must be a full domain name or a plain IP address."
            ) from None
        return
    if "%" in host or not is_public(address):
        raise UrlRefused(Problem.HOST, "The URL's host is not an address on the public internet.")

"""Clients' network addresses: the one spelling under which every limit counts them."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

IPV6_PREFIX_BITS: Final = 64
"""The smallest network that IPv6 providers give to a customer, who can use any of its 2^64 addresses."""

_WITH_PORT: Final = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](:\d+)?|(?P<v4>[0-9.]+):\d+")


def client_network(address: str | None) -> str:
    """An IPv4 address as it is (`203.0.113.7`), also where it is written as IPv6; of an IPv6 address its /64
    (`2001:db8:1:2::/64`).

    A port, which some proxies add, and a zone do not count. What is not an address is one network: an empty text.
    """
    text = address or ""
    if found := _WITH_PORT.fullmatch(text):
        text = found["v6"] or found["v4"]
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, IPV6_PREFIX_BITS), strict=False))

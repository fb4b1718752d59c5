"""From which addresses callbacks are accepted: a second layer for unsigned ones, where an operator has listed the provider's."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import structlog

from app.errors import CallbackSenderRefused
from app.providers.base import Provider
from app.providers.settings import CALLBACK_IPS

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_WITH_PORT: Final = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](:\d+)?|(?P<v4>[0-9.]+):\d+")

log = structlog.get_logger("callbacks")


def require_accepted(provider: Provider, address: str | None) -> None:
    """Raises CallbackSenderRefused for an address that is not on the account's list, where there is a list."""
    listed = [word.strip() for word in provider.account.get(CALLBACK_IPS).split(",") if word.strip()]
    if not listed:
        return
    sender = parse(address or "")
    if sender is None or not any(sender in ipaddress.ip_network(network) for network in listed):
        log.warning("callback.refused", provider=provider.name, address=address, reason="address")
        raise CallbackSenderRefused


def is_private(address: str | None) -> bool:
    """Whether it is an address that no provider has, such as a proxy's in front."""
    sender = parse(address or "")
    return sender is not None and sender.is_private


def parse(text: str) -> IpAddress | None:
    """The address in `text`: without a port, and an IPv4 address that is written as IPv6 (`::ffff:…`) as itself."""
    if found := _WITH_PORT.fullmatch(text):
        text = found["v6"] or found["v4"]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address

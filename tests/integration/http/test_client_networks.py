"""Limits count a client's network: an IPv4 address, or the /64 of an IPv6 address."""

from __future__ import annotations

import secrets

import pytest
from flask import Flask

from app import create_app
from app.addresses import client_network
from app.errors import InvalidApiKey, RateLimitExceeded
from app.websocket import auth as websocket_auth


@pytest.fixture(scope="module")
def limited_app(settings: dict[str, str]) -> Flask:
    """Its limits are counted in memory: its Redis does not exist."""
    limits = {"RATE_LIMIT_AUTH": "3/minute", "RATE_LIMIT_WRONG_KEYS": "3/minute"}
    return create_app({**settings, "REDIS_URL": "redis://127.0.0.1:1/0", **limits})


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:DB8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:", ""),
        (None, ""),
    ],
)
def test_the_network_of_an_address(address: str | None, network: str) -> None:
    assert client_network(address) == network


def _same_network() -> list[str]:
    prefix = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}"
    return [f"{prefix}::{number}" for number in range(1, 5)]


def test_sign_ins_from_one_ipv6_network_share_a_limit(limited_app: Flask) -> None:
    """Breaks when each address counts: a customer has 2^64 of them."""
    client = limited_app.test_client()

    def refresh(address: str) -> int:
        return client.post("/api/v1/auth/refresh", environ_overrides={"REMOTE_ADDR": address}).status_code

    assert [refresh(address) for address in _same_network()] == [401, 401, 401, 429]
    assert refresh(_same_network()[0]) == 401


def test_wrong_keys_from_one_ipv6_network_share_a_limit_over_rest_and_socket_io(limited_app: Flask) -> None:
    client, addresses = limited_app.test_client(), _same_network()
    for address in addresses[:2]:
        answer = client.get(
            "/api/v1/payments",
            headers={"X-TENANT-API-KEY": "mlp_wrong"},
            environ_overrides={"REMOTE_ADDR": address},
        )
        assert answer.status_code == 401
    with limited_app.app_context():
        with pytest.raises(InvalidApiKey):
            websocket_auth.merchant_of("mlp_wrong", address=addresses[2])
        with pytest.raises(RateLimitExceeded):
            websocket_auth.merchant_of("mlp_wrong", address=addresses[3])

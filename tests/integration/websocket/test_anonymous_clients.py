"""Connections without a credential: few from one address, and closed when they stay without a credential."""

from __future__ import annotations

import json
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.websocket import sweep
from tests.support.factories import make_user
from tests.support.tenants import make_merchant
from tests.support.waiting import wait_until

PATH = "/socket.io/?EIO=4&transport=polling"


class PollingClient:
    """Engine.IO by single requests, in this process."""

    def __init__(self, client: FlaskClient, address: str = "192.0.2.1") -> None:
        self._client = client
        self._from = {"REMOTE_ADDR": address}
        self.opened = client.get(PATH, environ_base=self._from)
        self._url = PATH
        if self.opened.status_code == 200:
            self._url += f"&sid={json.loads(self.opened.text[1:])['sid']}"

    def send(self, packet: str) -> int:
        return self._client.post(self._url, data=packet, environ_base=self._from).status_code

    def read(self) -> str:
        return self._client.get(self._url, environ_base=self._from).text

    def connect(self, **auth: str) -> None:
        assert self.send("40" + (json.dumps(auth) if auth else "")) == 200
        assert "connected" in self.read()

    def is_open(self) -> bool:
        return self.send("3") == 200


@pytest.fixture(scope="module")
def served(settings: dict[str, str]) -> Flask:
    return create_app({**settings, "REALTIME": "embedded", "REALTIME_CLIENTS_PER_ADDRESS": "3"})


def test_one_address_has_so_many_connections(served: Flask) -> None:
    """Whatever part of its /64 an IPv6 client uses."""
    client = served.test_client()
    for addresses in (["192.0.2.77", "::ffff:192.0.2.77"], ["2001:db8:0:7::1", "2001:db8:0:7:ffff::2"]):
        opened = [PollingClient(client, addresses[number % 2]) for number in range(3)]
        assert [one.opened.status_code for one in opened] == [200] * 3
        refused = PollingClient(client, addresses[0]).opened
        assert refused.status_code == 429
        assert refused.get_json()["code"] == "TOO_MANY_CLIENTS" and refused.headers["Retry-After"] == "5"
        assert opened[0].send("1") == 200  # it leaves, and its place is free
        opened[0] = PollingClient(client, addresses[0])
        assert opened[0].opened.status_code == 200
        for one in opened:
            one.send("1")
    other = PollingClient(client, "2001:db8:0:8::1")
    assert other.opened.status_code == 200 and other.send("1") == 200


def test_clients_without_a_credential_are_disconnected_unless_they_watch_something(
    served: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = served.test_client()
    shop = make_merchant(served)
    user = make_user(served)
    silent, idle, watching, signed_in, merchant = (
        PollingClient(client, f"192.0.2.{n}") for n in range(10, 15)
    )
    idle.connect()
    watching.connect()
    signed_in.connect(token=user.access_token)
    merchant.connect(api_key=shop.api_key)
    answer = client.post(
        "/api/v1/payments/initialize",
        json={"provider": "cpay", "amount": "1", "currency": "KES", "customer": {"phone": "+254712345678"}},
        headers=shop.headers | {"Idempotency-Key": uuid.uuid4().hex},
    )
    payment = answer.get_json()["data"]["id"]
    watching.send("42" + json.dumps(["subscribe_transaction", {"transaction_id": payment}]))
    assert "subscribed" in watching.read()
    assert sweep.ANONYMOUS_S == 10
    for name, value in {"ANONYMOUS_S": 0, "TICK_S": 0.05, "READING_S": 0.2}.items():
        monkeypatch.setattr(sweep, name, value)
    assert "AUTHENTICATION_TIMEOUT" in idle.read()
    for one in (silent, idle):
        wait_until(lambda one=one: not one.is_open(), "it is closed")
    assert all(one.is_open() for one in (watching, signed_in, merchant))
    for one in (watching, signed_in, merchant):
        one.send("1")

"""A merchant's key gets all of its tenant's payments and no other's, until the key or the tenant is ended: not one push longer.

The server is real and has no sockets: clients are unread transports, and the test hands it the pushes of the log.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask_socketio import SocketIO
from werkzeug.test import EnvironBuilder

from app import clock, create_app
from app.principal import Principal
from app.services import payment_service
from app.services.identity.suspension import suspend_user
from app.services.realtime import subscriptions
from app.services.tenants.key_changes import revoke_api_key, rotate_api_key, suspend_api_key
from app.services.tenants.suspension import suspend_tenant
from app.websocket.server import build, in_context
from tests.integration.gateway.conftest import MerchantClient
from tests.integration.gateway.conftest import make_merchant as make_gateway_merchant
from tests.support.factories import make_user
from tests.support.gateway import OPERATOR


class Server:
    """`build` as both processes call it."""

    def __init__(self, app: Flask, publish: Callable[[], None]) -> None:
        self._app, self._publish = app, publish
        self._run = in_context(app)
        self._socketio: SocketIO = build(app, async_mode="threading", run=self._run)
        self.rooms: Any = self._socketio.server.manager
        self.rooms._is_listening = True  # nothing comes from Redis here
        self.rooms._is_fed.set()
        self._eio = self._socketio.server.eio
        self._eio.start_service_task = False
        self._eio.start_background_task = lambda *_, **__: None
        publish()
        self._sequence = self._run(subscriptions.last_sequence)

    def connect(self, **auth: str) -> Any:
        """The transport of a new client."""
        known = set(self._eio.sockets)
        environ = EnvironBuilder(path="/socket.io/", query_string="EIO=4&transport=polling").get_environ()
        environ["flask.app"] = self._app
        self._eio.handle_request(environ, lambda *_: None)
        (sid,) = set(self._eio.sockets) - known
        transport = self._eio.sockets[sid]
        self._socketio.server._handle_eio_message(sid, f"0{json.dumps(auth)}")
        received(transport)
        return transport

    def push(self) -> None:
        """Publish, and deliver what is new in the log."""
        self._publish()
        pushes, self._sequence = self._run(subscriptions.pushes_after, self._sequence, limit=10_000)
        for push in pushes:
            self.rooms.deliver(push)


def received(transport: Any) -> list[tuple[str, Any]]:
    """Every (event, data) that was sent since the last call."""
    found = []
    while not transport.queue.empty():
        text = transport.queue.get().data
        if isinstance(text, str) and text.startswith("2"):
            found.append(tuple(json.loads(text[1:])))
    return found


def statuses(transport: Any) -> list[tuple[str, str]]:
    return [(data["transaction"]["id"], data["transaction"]["status"]) for _, data in received(transport)]


@pytest.fixture(scope="module")
def own_app(settings: dict[str, str]) -> Flask:
    """`build` changes the application it serves."""
    return create_app(settings)


@pytest.fixture
def server(own_app: Flask, publish: Callable[[], None]) -> Server:
    return Server(own_app, publish)


@pytest.fixture
def shop(app: Flask) -> MerchantClient:
    return make_gateway_merchant(app, app.test_client())


@pytest.fixture
def other_shop(app: Flask) -> MerchantClient:
    return make_gateway_merchant(app, app.test_client())


def test_a_key_gets_every_payment_of_its_tenant_alone(
    app: Flask, server: Server, shop: MerchantClient, other_shop: MerchantClient
) -> None:
    client, other, anonymous = (
        server.connect(api_key=shop.key),
        server.connect(api_key=other_shop.key),
        server.connect(),
    )
    user = server.connect(token=make_user(app).access_token)
    own = [shop.paid()["id"], shop.waiting()["id"]]
    foreign = other_shop.paid()["id"]
    server.push()
    assert statuses(client) == [
        *((own[0], status) for status in ("pending", "completed")),
        *((own[1], status) for status in ("pending", "processing")),
    ]
    assert {payment_id for payment_id, _ in statuses(other)} == {foreign}
    assert received(anonymous) == received(user) == []


def test_a_subscribed_payment_comes_once(server: Server, shop: MerchantClient) -> None:
    client = server.connect(api_key=shop.key)
    payment_id = shop.waiting()["id"]
    server._socketio.server._handle_eio_message(
        client.sid, f'2["subscribe_transaction",{json.dumps({"transaction_id": payment_id})}]'
    )
    received(client)
    assert shop.post(f"/{payment_id}/cancel").status_code == 200
    server.push()
    assert statuses(client).count((payment_id, "cancelled")) == 1


def _suspend(shop: MerchantClient) -> None:
    suspend_tenant(shop.tenant_id, reason="fraud report", operator=OPERATOR)


def _revoke(shop: MerchantClient) -> None:
    revoke_api_key(shop.key[:16], operator=OPERATOR)


def _suspend_key(shop: MerchantClient) -> None:
    suspend_api_key(shop.key[:16], tenant_id=None, operator=OPERATOR)


def _rotate(shop: MerchantClient) -> None:
    rotate_api_key(shop.key[:16], tenant_id=None, overlap_hours=0, operator=OPERATOR)


def _cancel(shop: MerchantClient, payment_id: str) -> None:
    backend = Principal.of_api_key(shop.tenant_id, uuid.uuid4(), None)
    assert payment_service.cancel(backend, uuid.UUID(payment_id)).status == "cancelled"


@pytest.mark.parametrize("end", [_suspend, _revoke, _suspend_key, _rotate])
def test_nothing_behind_the_end_of_a_credential_in_the_log_is_pushed(
    app: Flask,
    server: Server,
    shop: MerchantClient,
    end: Callable[[MerchantClient], None],
) -> None:
    client = server.connect(api_key=shop.key)
    waiting = shop.waiting()["id"]
    server.push()
    received(client)
    with app.app_context():
        end(shop)
        # What is under way goes on, by callbacks for example.
        _cancel(shop, waiting)
    server.push()
    ((event, data),) = received(client)
    assert (event, data["code"]) == ("error", "INVALID_API_KEY")
    assert f"tenant_{shop.tenant_id}" not in server.rooms.rooms.get("/", {})


def test_a_key_gets_nothing_more_after_its_overlap_and_its_successor_does(
    app: Flask, server: Server, shop: MerchantClient
) -> None:
    with app.app_context():
        _, key = rotate_api_key(shop.key[:16], tenant_id=None, overlap_hours=1, operator=OPERATOR)
    server.push()
    old, new = server.connect(api_key=shop.key), server.connect(api_key=key)
    clock.travel(timedelta(hours=1))
    server.rooms.check_credentials()
    ((event, data),) = received(old)
    assert (event, data["code"]) == ("error", "INVALID_API_KEY") and received(new) == []
    assert f"tenant_{shop.tenant_id}" in server.rooms.rooms.get("/", {})


def test_a_suspended_user_gets_nothing_more(app: Flask, server: Server) -> None:
    user = make_user(app)
    client = server.connect(token=user.access_token)
    with app.app_context():
        suspend_user(user.email, reason="fraud report", operator=OPERATOR)
    server.push()
    ((event, data),) = received(client)
    assert (event, data["code"]) == ("error", "TOKEN_INVALID")


def test_a_key_that_ended_while_its_client_connected_enters_no_room(
    app: Flask, server: Server, shop: MerchantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.realtime.subscriptions.live_keys", lambda keys: set())
    client = server.connect(api_key=shop.key)
    shop.paid()
    server.push()
    assert received(client) == []

"""The platform's own endpoints: what belongs to no tenant, payments between users, is sent there and to no merchant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import Webhook

from app import clock
from app.clock import iso_z
from tests.support.factories import SignedInUser, make_user, make_wallet
from tests.support.tenants import MerchantClient
from tests.support.wallet_payments import pay
from tests.support.webhooks import Publish, Receiver, record_events, register, send_due


@pytest.fixture
def endpoint(app: Flask, receiver: Receiver, publish: Publish) -> Iterator[tuple[str, str]]:
    """Id and secret of an endpoint of the platform's own, gone after the test."""
    publish()  # what earlier tests have left in the outbox is not sent there
    endpoint_id, secret = re.findall(r"we_\w+|whsec_\S+", _run(app, "add", receiver.url))
    yield endpoint_id, secret
    if endpoint_id in _run(app, "list"):
        _run(app, "remove", endpoint_id)


def _run(app: Flask, *arguments: str) -> str:
    done = app.test_cli_runner().invoke(args=["webhooks", *arguments])
    assert done.exit_code == 0, done.output
    return str(done.output)


def _pay(app: Flask, client: FlaskClient) -> tuple[SignedInUser, str]:
    """Who paid, and the payment's id."""
    sender, recipient = make_user(app), make_user(app)
    source = make_wallet(app, sender, balance="100")
    make_wallet(app, recipient)
    answer = pay(client, sender, source, recipient.email, "12.50", description="lunch")
    assert answer.status_code == 201, answer.data
    payment_id: str = answer.json["payment_id"]
    return sender, payment_id


def test_a_payment_between_users_has_the_wallet_apis_fields(
    app: Flask, client: FlaskClient, publish: Publish, receiver: Receiver, endpoint: tuple[str, str]
) -> None:
    sender, payment_id = _pay(app, client)
    publish()
    send_due(app)
    types = [event["type"] for event in receiver.events]
    assert types == ["wallet_payment.pending", "wallet_payment.completed"]
    shown: dict[str, Any] = receiver.events[1]["data"]["payment"]
    rest = client.get(f"/api/v1/payments/{payment_id}", headers=sender.headers).json
    assert shown == {name: value for name, value in rest.items() if name != "created_at"}
    assert (shown["status"], shown["amount"]) == ("completed", "12.50")
    Webhook(endpoint[1]).verify(receiver.received[1].body, receiver.received[1].headers)


def test_tenants_events_do_not_go_there_and_users_payments_not_to_tenants(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    receiver: Receiver,
    endpoint: tuple[str, str],
) -> None:
    with Receiver() as merchants:
        register(client, merchant, merchants.url)
        record_events(app, merchant, objects=1, events=1)
        _pay(app, client)
        publish()
        send_due(app)
        assert [event["type"] for event in merchants.events] == ["order.created"]
    assert {event["type"].partition(".")[0] for event in receiver.events} == {"wallet_payment"}


def test_a_merchant_neither_sees_nor_changes_it(
    client: FlaskClient, merchant: MerchantClient, endpoint: tuple[str, str]
) -> None:
    path = f"/v1/webhooks/endpoints/{endpoint[0]}"
    assert client.get("/v1/webhooks/endpoints", headers=merchant.bearer).json["total"] == 0
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret")):
        assert client.open(path + tail, method=method, headers=merchant.bearer).status_code == 404
    refused = client.post(
        "/v1/webhooks/endpoints",
        headers=merchant.bearer,
        json={"url": "http://127.0.0.1:9/", "events": ["wallet_payment.completed"]},
    )
    assert refused.status_code == 422


def test_an_operator_chooses_types_replays_and_removes(
    app: Flask, client: FlaskClient, publish: Publish, receiver: Receiver, endpoint: tuple[str, str]
) -> None:
    with Receiver() as others:
        only_one = _run(app, "add", others.url, "--event", "wallet_payment.completed")
        other_id = re.findall(r"we_\w+", only_one)[0]
        began = iso_z(clock.now())
        _pay(app, client)
        publish()
        send_due(app)
        assert [event["type"] for event in others.events] == ["wallet_payment.completed"]
        _run(app, "replay", other_id, "--after", began)
        send_due(app)
        assert others.ids[-1] == others.ids[0] and len(others.ids) >= 2
        assert "whsec_" in _run(app, "rotate-secret", other_id)
        _run(app, "remove", other_id)
        before = len(others.ids)
        _pay(app, client)
        publish()
        send_due(app)
        assert len(others.ids) == before

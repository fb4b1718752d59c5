"""A published event reaches the merchant's server: what arrives, signed how, and how often."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import WebhookVerificationError

from app import clock
from app.errors import ServiceUnavailable
from app.services.webhooks import deliveries, sending
from app.services.webhooks.sending import Sender
from tests.support.tenants import MerchantClient, make_merchant
from tests.support.waiting import wait_until
from tests.support.webhooks import ENDPOINTS, Publish, Receiver, register, send_due, simulate, verified

PAYMENT = {
    "provider": "cpay",
    "amount": 49.99,
    "currency": "USD",
    "customer": {"phone": "+254700000000", "email": "a@example.com", "name": "Amina"},
    "description": "Order 12",
    "metadata": {"sku": "W-1"},
}


def _pay(client: FlaskClient, merchant: MerchantClient, **differing: object) -> dict:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    answered = client.post(
        "/api/v1/payments/initialize", headers=merchant.headers | key, json=PAYMENT | differing
    )
    return answered.json["data"]


def test_a_payments_events_arrive_signed_in_order_and_once(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> None:
    endpoint = register(client, merchant, f"{receiver.url}/hook?a=b")
    payment = _pay(client, merchant)
    publish()
    send_due(app)
    assert send_due(app) == 0
    types = [event["type"] for event in receiver.events]
    assert types[0] == "payment.created" and types[-1] == "payment.completed"
    assert len(set(receiver.ids)) == len(receiver.ids) and all(one.startswith("evt_") for one in receiver.ids)
    last = receiver.received[-1]
    assert last.path == "/hook?a=b" and last.headers["content-type"] == "application/json"
    event = verified(last, endpoint["secret"])
    assert event["id"] == last.headers["webhook-id"]
    assert event["data"]["payment"]["id"] == payment["id"]
    assert event["data"]["payment"]["amount"] == "49.99"
    assert event["data"]["payment"]["metadata"] == {"sku": "W-1"}
    with pytest.raises(WebhookVerificationError):
        verified(last, "whsec_" + "QUJD" * 8)


def test_the_second_signature_is_the_documents(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> None:
    endpoint = register(client, merchant, receiver.url)
    simulate(client, merchant)
    publish()
    send_due(app)
    (came,) = receiver.received
    moment, signature = (part.partition("=")[2] for part in came.headers["x-webhook-signature"].split(","))
    assert moment == came.headers["webhook-timestamp"]
    signed = moment.encode() + b"." + came.body
    assert hmac.new(endpoint["secret"].encode(), signed, hashlib.sha256).hexdigest() == signature


def test_only_wanted_types_of_the_own_tenant_are_sent(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> None:
    register(client, merchant, receiver.url, ["payment.completed"])
    _pay(client, merchant)
    _pay(client, make_merchant(app))
    publish()
    send_due(app)
    assert [event["type"] for event in receiver.events] == ["payment.completed"]


def test_both_secrets_sign_during_the_overlap_and_the_old_one_no_longer(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> None:
    old = register(client, merchant, receiver.url)
    path = f"{ENDPOINTS}/{old['id']}/rotate-secret"
    new = client.post(path, headers=merchant.bearer, json={"overlap_hours": 1}).json
    assert new["secret"] != old["secret"]
    simulate(client, merchant)
    publish()
    send_due(app)
    assert verified(receiver.received[0], old["secret"]) == verified(receiver.received[0], new["secret"])
    assert receiver.received[0].headers["x-webhook-signature"].count("v1=") == 2
    clock.travel(timedelta(hours=1, seconds=1))
    simulate(client, merchant)
    publish()
    send_due(app)
    clock.reset()
    assert " " not in receiver.received[1].headers["webhook-signature"]
    assert receiver.received[1].headers["x-webhook-signature"].count("v1=") == 1


@pytest.mark.parametrize("fault", [ServiceUnavailable(), RuntimeError("on purpose")])
def test_a_fault_is_no_end_of_sending(
    fault: Exception,
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    receiver: Receiver,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(client, merchant, receiver.url)
    simulate(client, merchant)
    publish()
    faults, claim = [fault], deliveries.claim

    def failing_once(limit: int, **options: bool) -> Any:
        if faults:
            raise faults.pop()
        return claim(limit, **options)

    monkeypatch.setattr(deliveries, "claim", failing_once)
    monkeypatch.setattr(sending, "FAULT_PAUSE_S", 0.01)
    sender = Sender(app, threads=2)
    sender.start()
    try:
        wait_until(lambda: receiver.received, "the webhook")
    finally:
        sender.stop()

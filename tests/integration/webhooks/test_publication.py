"""Deliveries are made with the event: for every one that is committed, and without standing in the log's way."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models.member import Role
from app.services.webhooks import publication
from tests.support.orders import Shop, make_customer
from tests.support.tenants import MerchantClient, make_member
from tests.support.webhooks import Publish, Receiver, record_events, register, send_due


def _published(rows: Any, merchant: MerchantClient) -> int:
    ((count,),) = rows(
        "SELECT count(*) FROM events WHERE tenant_id = :t AND type = 'order.created'", t=merchant.tenant_id
    )
    return count


def _due(rows: Any, merchant: MerchantClient) -> int:
    ((count,),) = rows("SELECT count(*) FROM webhook_deliveries WHERE tenant_id = :t", t=merchant.tenant_id)
    return count


def test_a_fault_here_is_logged_with_what_it_concerns_and_stops_no_event(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    register(client, merchant, "http://127.0.0.1:9/")
    with monkeypatch.context() as patched:
        patched.setattr(publication, "_INSERT", "INSERT INTO none_such VALUES %s")
        record_events(app, merchant, objects=2, events=1)
        publish()
    assert (_published(rows, merchant), _due(rows, merchant)) == (2, 0)
    assert "webhooks.not_queued" in caplog.text
    record_events(app, merchant, objects=1, events=1)
    publish()
    assert (_published(rows, merchant), _due(rows, merchant)) == (3, 1)


def test_a_tenant_without_endpoints_costs_one_look_up(
    app: Flask, merchant: MerchantClient, publish: Publish, monkeypatch: pytest.MonkeyPatch, rows: Any
) -> None:
    monkeypatch.setattr(publication, "execute_values", None)  # not called
    record_events(app, merchant, objects=3, events=2)
    publish()
    assert (_published(rows, merchant), _due(rows, merchant)) == (6, 0)


def test_an_orders_payment_names_its_order(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> None:
    register(client, merchant, receiver.url)
    shop = Shop(app, make_member(app, merchant, Role.OWNER), make_customer(app, merchant))
    order_id = shop.order(1000)
    shop.post(f"/{order_id}/checkout", {"provider": "cpay"}, key="k")
    publish()
    send_due(app)
    by_type = {event["type"]: event["data"] for event in receiver.events}
    assert by_type["order.created"]["order"] | {"reference": None} == {
        "id": order_id,
        "customer_id": str(shop.customer_id),
        "amount": 1000.0,
        "currency": "KES",
        "reference": None,
    }
    assert by_type["payment.completed"]["payment"]["order_id"] == order_id

"""Deliveries as their merchant reads them: pages, filters, and only their own."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.tenants import MerchantClient, make_merchant
from tests.support.webhooks import ENDPOINTS, Publish, Receiver, record_events, register, send_due

DELIVERIES = "/v1/webhooks/deliveries"


def test_pages_are_the_newest_first_and_filters_hold(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> None:
    path = f"{ENDPOINTS}/{register(client, merchant, receiver.url)['id']}/deliveries"
    record_events(app, merchant, objects=3, events=1)
    publish()
    send_due(app)
    record_events(app, merchant, objects=2, events=1)
    publish()

    def ids(query: str) -> tuple[list[str], bool]:
        page = client.get(f"{path}?{query}", headers=merchant.bearer).json
        return [one["id"] for one in page["data"]], page["has_more"]

    everything, has_more = ids("limit=5")
    assert len(set(everything)) == 5 and not has_more
    assert everything == sorted(everything, reverse=True)
    assert ids("limit=2") == (everything[:2], True)
    assert ids(f"limit=3&before={everything[1]}") == (everything[2:], False)
    assert ids("state=due")[0] == everything[:2] and ids("state=delivered")[0] == everything[2:]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=101", 422),
        ("limit=x", 422),
        ("state=lost", 422),
        ("before=whd_1", 400),
        ("page=1", 400),
    ],
)
def test_queries_that_are_not_valid(
    client: FlaskClient, merchant: MerchantClient, query: str, status: int
) -> None:
    path = f"{ENDPOINTS}/{register(client, merchant, 'http://127.0.0.1:9/')['id']}/deliveries?{query}"
    assert client.get(path, headers=merchant.bearer).status_code == status


def test_a_delivery_is_its_merchants_and_goes_with_its_endpoint(
    app: Flask, client: FlaskClient, merchant: MerchantClient, publish: Publish
) -> None:
    other = make_merchant(app)
    endpoint = f"{ENDPOINTS}/{register(client, merchant, 'http://127.0.0.1:9/')['id']}"
    record_events(app, merchant, objects=1, events=1)
    publish()
    (listed,) = client.get(f"{endpoint}/deliveries", headers=merchant.bearer).json["data"]
    assert client.get(f"{endpoint}/deliveries", headers=other.bearer).status_code == 404
    path = f"{DELIVERIES}/{listed['id']}"
    assert client.get(path, headers=merchant.bearer).status_code == 200
    assert client.get(path, headers=other.bearer).status_code == 404
    assert client.post(f"{path}/replay", headers=other.bearer).status_code == 404
    client.delete(endpoint, headers=merchant.bearer)
    assert client.get(path, headers=merchant.bearer).status_code == 404
    assert client.post(f"{path}/replay", headers=merchant.bearer).status_code == 404
    for unknown in ("whd_" + "0" * 24, "whd_1", listed["id"].upper()):
        assert client.get(f"{DELIVERIES}/{unknown}", headers=merchant.bearer).status_code == 404

"""What operators do with webhooks: list, tail and replay them by command; the gauges; and what is kept how long."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.services.operator import retention
from app.services.webhooks import replay
from app.services.webhooks.retention import KEPT
from tests.support.demo import command, run_command
from tests.support.tenants import MerchantClient
from tests.support.webhooks import ENDPOINTS, Publish, Receiver, record_events, register, send_due, simulate


def _gauge(client: FlaskClient, name: str) -> int:
    found = re.search(rf"^malipo_{name} (\S+)", client.get("/metrics").get_data(as_text=True), re.MULTILINE)
    assert found is not None, name
    return int(float(found[1]))


def test_commands_list_tail_and_replay(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> None:
    endpoint = register(client, merchant, receiver.url)
    record_events(app, merchant, objects=2, events=1)
    publish()
    listed = run_command(app, "webhooks", "list", "--tenant", str(merchant.tenant_id))
    assert f"{endpoint['id']}  enabled  {receiver.url}" in listed and "due 2  dead 0  waiting since" in listed
    send_due(app)
    tailed = run_command(app, "webhooks", "tail", "--endpoint", endpoint["id"], "-n", "1")
    assert re.search(r"whd_\w{24}  attempt 1  200  \d+ ms  127.0.0.1", tailed) and tailed.count("\n") == 1
    after = (clock.now() - timedelta(hours=1)).isoformat()
    assert "0 events" in run_command(app, "webhooks", "replay", endpoint["id"], "--until", after)
    assert "2 events" in run_command(app, "webhooks", "replay", endpoint["id"], "--after", after)
    send_due(app)
    assert sorted(receiver.ids[:2]) == sorted(receiver.ids[2:]) and len(receiver.ids) == 4
    for words in (("replay", "we_" + "0" * 24), ("replay", endpoint["id"], "--after", "soon")):
        assert command(app, "webhooks", *words).exit_code == 1


def test_a_range_is_replayed_once_and_within_limits(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    receiver: Receiver,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an endpoint missed while it was disabled is sent; what is due anyway is not sent twice."""
    path = f"{ENDPOINTS}/{register(client, merchant, receiver.url, ['order.created'])['id']}"
    client.post(f"{path}/disable", headers=merchant.bearer)
    orders = record_events(app, merchant, objects=3, events=1)
    simulate(client, merchant)
    publish()
    client.post(f"{path}/enable", headers=merchant.bearer)
    record_events(app, merchant, objects=1, events=1)
    publish()  # due anyway

    def ask(**body: str) -> Any:
        return client.post(f"{path}/replay", headers=merchant.bearer, json=body)

    monkeypatch.setattr(replay, "MAX_REPLAYED", 3)
    assert ask().status_code == 400
    monkeypatch.setattr(replay, "MAX_REPLAYED", 4)
    assert ask().json["count"] == 3
    assert ask().json["count"] == 0
    send_due(app)
    came = [event["data"]["order"]["id"] for event in receiver.events]
    assert len(came) == 4 and set(orders) < set(came)
    late, early = clock.now(), clock.now() - timedelta(days=31)
    assert ask(after=early.isoformat()).status_code == 400
    assert ask(after=late.isoformat(), until=early.isoformat()).status_code == 400
    assert ask(after="2026-01-01T00:00:00").status_code == 422  # no offset


def test_gauges_and_retention(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    receiver: Receiver,
    publish: Publish,
    rows: Any,
) -> None:
    register(client, merchant, receiver.url)
    record_events(app, merchant, objects=2, events=1)
    publish()
    clock.travel(timedelta(seconds=100))
    assert _gauge(client, "webhooks_due") == 2 and _gauge(client, "webhooks_waiting_seconds") >= 100
    send_due(app)
    assert (_gauge(client, "webhooks_due"), _gauge(client, "webhooks_waiting_seconds")) == (0, 0)
    record_events(app, merchant, objects=1, events=1)
    publish()  # due, and never sent
    kept = "SELECT count(*) FROM webhook_{} WHERE tenant_id = :t"
    for age, left in ((KEPT - timedelta(minutes=5), (3, 2)), (timedelta(minutes=10), (1, 0))):
        clock.travel(age)
        with app.app_context():
            retention.sweep()
        found = [rows(kept.format(table), t=merchant.tenant_id)[0][0] for table in ("deliveries", "attempts")]
        assert tuple(found) == left

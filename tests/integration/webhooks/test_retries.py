"""What follows a failed attempt: the next one, a dead letter, an endpoint that is disabled; and what a killed worker leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.services.webhooks import deliveries, schedule
from app.services.webhooks.connection import Outcome
from app.services.webhooks.deliveries import Attempt
from tests.support.tenants import MerchantClient
from tests.support.webhooks import (
    ENDPOINTS,
    Publish,
    Receiver,
    in_runs,
    register,
    send_due,
    simulate,
    verified,
)

JUST_AFTER = timedelta(seconds=1)


class Sent:
    """A simulated event at one endpoint, which answers as the receiver does."""

    def __init__(
        self, app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
    ) -> None:
        self.app, self.client, self.merchant, self.receiver = app, client, merchant, receiver
        self.publish = publish
        self.endpoint = register(client, merchant, receiver.url)

    def simulate(self) -> str:
        event_id: str = simulate(self.client, self.merchant)["event"]["id"]
        self.publish()
        return event_id

    def deliveries(self) -> list[dict[str, Any]]:
        path = f"{ENDPOINTS}/{self.endpoint['id']}/deliveries"
        found: list[dict[str, Any]] = self.client.get(path, headers=self.merchant.bearer).json["data"]
        return found

    def read(self) -> dict[str, Any]:
        """The newest delivery with its attempts."""
        path = f"/v1/webhooks/deliveries/{self.deliveries()[0]['id']}"
        found: dict[str, Any] = self.client.get(path, headers=self.merchant.bearer).json
        return found

    def endpoint_now(self) -> dict[str, Any]:
        path = f"{ENDPOINTS}/{self.endpoint['id']}"
        found: dict[str, Any] = self.client.get(path, headers=self.merchant.bearer).json
        return found

    def fail_until_dead(self) -> int:
        """How many attempts were made."""
        count = send_due(self.app)
        for wait_s in schedule.WAITS_S:
            clock.travel(timedelta(seconds=wait_s * 1.11))
            count += send_due(self.app)
        return count


@pytest.fixture
def sent(
    app: Flask, client: FlaskClient, merchant: MerchantClient, receiver: Receiver, publish: Publish
) -> Sent:
    return Sent(app, client, merchant, receiver, publish)


def test_a_failed_attempt_is_made_again_with_the_same_id_and_bytes(app: Flask, sent: Sent) -> None:
    sent.receiver.answers = [500, 302, 200]
    event_id = sent.simulate()
    assert send_due(app) == 1 and send_due(app) == 0
    clock.travel(timedelta(seconds=4))
    assert send_due(app) == 0  # the first wait is five seconds
    clock.travel(timedelta(seconds=2))
    assert send_due(app) == 1
    clock.travel(timedelta(minutes=6))
    assert send_due(app) == 1 and send_due(app) == 0
    assert sent.receiver.ids == [event_id] * 3
    assert len({one.body for one in sent.receiver.received}) == 1
    assert len({one.headers["webhook-timestamp"] for one in sent.receiver.received}) == 3
    found = sent.read()
    assert (found["state"], found["attempts"], found["next_attempt_at"]) == ("delivered", 3, None)
    assert [one["status"] for one in found["attempt_log"]] == [200, 302, 500]
    assert found["attempt_log"][0]["answer"] == '{"seen": true}'
    assert found["attempt_log"][0]["address"] == "127.0.0.1" and found["event"]["id"] == event_id


def test_retry_after_makes_the_wait_longer(app: Flask, sent: Sent) -> None:
    sent.receiver.answers, sent.receiver.answer_headers = [429, 200], {"Retry-After": "60"}
    sent.simulate()
    send_due(app)
    clock.travel(timedelta(seconds=55))
    assert send_due(app) == 0
    clock.travel(timedelta(seconds=6))
    assert send_due(app) == 1


def test_after_the_last_attempt_it_is_dead_until_it_is_replayed(app: Flask, sent: Sent) -> None:
    sent.receiver.answers = [503]
    event_id = sent.simulate()
    assert sent.fail_until_dead() == 10
    found = sent.read()
    assert (found["state"], found["attempts"]) == ("dead", 10)
    assert sent.endpoint_now()["status"] == "enabled" and sent.endpoint_now()["failing_since"] is not None
    sent.receiver.answers = [200]
    path = f"/v1/webhooks/deliveries/{found['id']}/replay"
    replayed = sent.client.post(path, headers=sent.merchant.bearer)
    assert replayed.status_code == 200 and replayed.json["is_replay"]
    send_due(app)
    assert sent.receiver.ids == [event_id] * 11 and len({one.body for one in sent.receiver.received}) == 1
    assert sent.read()["state"] == "delivered" and sent.read()["attempt_log"][0]["is_by_hand"]
    assert sent.endpoint_now()["failing_since"] is None


def test_gone_disables_the_endpoint_at_once_and_the_others_get_to_know(
    app: Flask, sent: Sent, publish: Publish
) -> None:
    with Receiver() as other:
        second = register(sent.client, sent.merchant, other.url, ["webhook_endpoint.disabled"])
        sent.receiver.answers = [410]
        sent.simulate()
        send_due(app)
        endpoint = sent.endpoint_now()
        assert (endpoint["status"], endpoint["disabled_because"]) == ("disabled", "gone")
        assert sent.read()["state"] == "dead"
        publish()
        send_due(app)
        (came,) = other.received
    event = verified(came, second["secret"])
    assert event["type"] == "webhook_endpoint.disabled"
    assert event["data"]["webhook_endpoint"] == {
        "id": endpoint["id"],
        "url": sent.receiver.url,
        "disabled_because": "gone",
    }


def test_an_endpoint_that_fails_for_five_days_is_disabled_and_one_that_worked_once_is_not(
    app: Flask, sent: Sent
) -> None:
    sent.receiver.answers = [500]
    sent.simulate()
    send_due(app)
    clock.travel(timedelta(days=4))
    sent.receiver.answers = [200]
    sent.simulate()
    send_due(app)
    sent.receiver.answers = [500]
    sent.simulate()
    send_due(app)
    clock.travel(timedelta(days=4))
    sent.simulate()
    send_due(app)
    assert sent.endpoint_now()["status"] == "enabled"
    clock.travel(timedelta(days=1, seconds=1))
    sent.simulate()
    send_due(app)
    endpoint = sent.endpoint_now()
    assert (endpoint["status"], endpoint["disabled_because"]) == ("disabled", "failing")
    assert {one["state"] for one in sent.deliveries()} <= {"delivered", "cancelled", "dead"}


def test_disabled_and_enabled_by_its_merchant(app: Flask, sent: Sent) -> None:
    path = f"{ENDPOINTS}/{sent.endpoint['id']}"
    sent.simulate()
    disabled = sent.client.post(f"{path}/disable", headers=sent.merchant.bearer).json
    assert (disabled["status"], disabled["disabled_because"]) == ("disabled", "merchant")
    sent.simulate()
    assert [one["state"] for one in sent.deliveries()] == ["cancelled"] and send_due(app) == 0
    delivery = f"/v1/webhooks/deliveries/{sent.deliveries()[0]['id']}"
    for refused in (f"{path}/test", f"{path}/replay", f"{delivery}/replay"):
        assert sent.client.post(refused, headers=sent.merchant.bearer).status_code == 409, refused
    enabled = sent.client.post(f"{path}/enable", headers=sent.merchant.bearer).json
    assert (enabled["status"], enabled["disabled_because"]) == ("enabled", None)
    sent.simulate()
    assert send_due(app) == 1


def test_a_killed_workers_delivery_goes_out_again_and_its_late_report_changes_nothing(
    app: Flask, sent: Sent
) -> None:
    event_id = sent.simulate()
    with app.app_context():
        (run,) = deliveries.claim(10)
    assert send_due(app) == 0  # it is leased
    clock.travel(deliveries.LEASE + JUST_AFTER)
    sent.receiver.answers = [500]
    assert send_due(app) == 1 and sent.receiver.ids == [event_id]
    with app.app_context():
        arrived = [Attempt(one, Outcome(5, status=200), clock.now()) for one in in_runs([run])]
        assert not deliveries.finish(run, arrived)
    found = sent.read()
    assert (found["state"], found["attempts"]) == ("due", 1)
    assert len(found["attempt_log"]) == 2


def test_a_test_message_goes_to_the_one_endpoint_whatever_it_wants(app: Flask, sent: Sent) -> None:
    with Receiver() as other:
        asked = register(sent.client, sent.merchant, other.url, ["refund.failed"])
        tested = sent.client.post(f"{ENDPOINTS}/{asked['id']}/test", headers=sent.merchant.bearer)
        sent.publish()
        send_due(app)
        (came,) = other.received
    event = verified(came, asked["secret"])
    assert (event["id"], event["type"]) == (tested.json["event_id"], "webhook_endpoint.test")
    assert event["data"]["webhook_endpoint"]["id"] == asked["id"] and sent.receiver.received == []

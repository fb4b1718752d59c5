"""A merchant's server that receives webhooks, and what tests do with it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from app import clock, ids
from app.events import outbox
from app.events.catalogue import EventType
from app.principal import SYSTEM
from app.services.webhooks.deliveries import Claimed, Run
from app.services.webhooks.sending import Sender
from app.unit_of_work import transaction
from tests.support.http_listener import HttpListener, Received, say
from tests.support.tenants import MerchantClient

ENDPOINTS = "/v1/webhooks/endpoints"


class Receiver(HttpListener):
    """Keeps what comes, and answers 200, or what `answers` says (the last one again and again)."""

    def __init__(
        self, *answers: int, delay_s: float = 0.0, answer_headers: dict[str, str] | None = None
    ) -> None:
        self.answers = list(answers) or [200]
        self.delay_s = delay_s
        self.answer_headers = answer_headers or {}
        self.received: list[Received] = []
        self.arrived: list[float] = []
        self.under_way = self.most_under_way = 0
        self._lock = threading.Lock()

    def serve(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.received.append(received)
            self.arrived.append(time.monotonic())
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        time.sleep(self.delay_s)
        with self._lock:
            self.under_way -= 1
        say(handler, status, b'{"seen": true}', **self.answer_headers)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.received]

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]


def register(
    client: FlaskClient, merchant: MerchantClient, url: str, events: list[str] | None = None
) -> dict[str, Any]:
    """The endpoint as it is answered, with its secret."""
    made = client.post(ENDPOINTS, headers=merchant.bearer, json={"url": url, "events": events})
    assert made.status_code == 201, made.json
    return made.json


def simulate(
    client: FlaskClient,
    merchant: MerchantClient,
    event_type: str = "payment.completed",
    payload: dict[str, Any] | None = None,
) -> dict[str, Any]:
    body = {"event_type": event_type, "payload": payload or {"payment": {"id": "pay_test", "amount": 99.99}}}
    answered = client.post("/v1/webhooks/simulate", headers=merchant.bearer, json=body)
    assert answered.status_code == 200, answered.json
    return answered.json


def record_events(app: Flask, merchant: MerchantClient, *, objects: int, events: int) -> list[str]:
    """So many events of each of so many orders, one order after the other; the orders' ids."""
    order_ids = [str(ids.uuid7()) for _ in range(objects)]
    facts = {"amount_minor": 100, "currency": "USD", "reference": None, "customer_id": str(ids.uuid7())}

    def work(session: Session) -> None:
        for order_id in order_ids:
            for _ in range(events):
                outbox.record(
                    session,
                    EventType.ORDER_CREATED,
                    object_id=order_id,
                    data=facts,
                    now=clock.now(),
                    actor=SYSTEM,
                    tenant_id=merchant.tenant_id,
                )

    with app.app_context():
        transaction(work)
    return order_ids


def send_due(app: Flask) -> int:
    """Send until nothing is due; how many attempts were made."""
    sender = Sender(app, threads=8)
    try:
        return sender.send_due()
    finally:
        sender.stop()


def in_runs(runs: Sequence[Run]) -> list[Claimed]:
    """What these send, lane by lane."""
    return [claimed for run in runs for lane in run.lanes for claimed in lane]


def verified(received: Received, secret: str) -> dict[str, Any]:
    """The event of a webhook with this signature. Raises WebhookVerificationError."""
    event: dict[str, Any] = Webhook(secret).verify(received.body, received.headers)
    return event


def forget_due(app: Flask) -> None:
    """What is due is not sent."""
    _write(app, "UPDATE webhook_deliveries SET state = 'cancelled' WHERE state = 'due'")


def forget_endpoints(app: Flask) -> None:
    """Nothing is sent for what earlier tests have left, published or not."""
    _write(app, "UPDATE webhook_endpoints SET is_enabled = false WHERE is_enabled")
    forget_due(app)


def _write(app: Flask, statement: str) -> None:
    with app.app_context():
        transaction(lambda session: session.execute(text(statement)))


Publish = Callable[[], None]

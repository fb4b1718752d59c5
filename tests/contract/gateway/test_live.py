"""The Gateway API document's Socket.IO events, as a client that has read the document uses them: no credential, default settings."""

from __future__ import annotations

import re
import uuid
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.realtime import (
    JavaScriptClient,
    PythonClient,
    install_javascript,
    javascript_client,
    python_client,
)
from tests.support.stack import Stack
from tests.support.waiting import wait_until

DOCUMENT = Path(__file__).with_name("document_001.txt").read_text(encoding="utf-8")
EVENTS = set(re.findall(r"'((?:payment|refund)\.[a-z_]+)'", DOCUMENT))
"""Names the document writes out; `payment.{status}` makes the others."""

Client = PythonClient | JavaScriptClient


@pytest.fixture(scope="session", autouse=True)
def javascript() -> None:
    install_javascript()


def connected(stack: Stack, language: str) -> AbstractContextManager[Any]:
    return python_client(stack.url) if language == "python" else javascript_client(stack.url)


def initialize(stack: Stack, provider: str, amount: object, currency: str) -> dict[str, Any]:
    body = {
        "provider": provider,
        "amount": amount,
        "currency": currency,
        "customer": {
            "phone": "+254700000000",
            "email": "test@example.com",
            "name": "John Doe",
            "id": "cust-5",
        },
        "metadata": {"order_id": "ORD-12345"},
    }
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answer = requests.post(f"{stack.url}/api/v1/payments/initialize", json=body, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def events(client: Client, payment_id: str) -> list[str]:
    """The types of a payment's events, in the log's order; not of a state that was shown before its event was published."""
    found = [u for u in client.received.of("transaction_update") if u["transaction"]["id"] == payment_id]
    published = [u for u in found if u["sequence"] is not None]
    return [u["event_type"] for u in sorted(published, key=lambda u: u["sequence"])]


@pytest.mark.parametrize("language", ["python", "javascript"])
@pytest.mark.parametrize(("provider", "currency"), [("mpesa", "KES"), ("stripe", "USD")])
def test_subscriber_receives_every_step_of_a_payment(
    merchant: Stack, language: str, provider: str, currency: str
) -> None:
    with connected(merchant, language) as client:
        (greeting,) = client.received.wait_for("connected")
        assert greeting == {"message": "Connected to payment gateway"}
        payment = initialize(merchant, provider, 250.5 if currency == "USD" else 250, currency)
        client.subscribe(payment["id"])
        (answer,) = client.received.wait_for("subscribed")
        assert answer == {
            "message": f"Subscribed to transaction {payment['id']}",
            "room": f"transaction_{payment['id']}",
        }
        client.received.wait_for_steps(payment["id"])
        seen = events(client, payment["id"])
        assert seen[-1] == "payment.completed" and seen[0] in ("payment.initiated", "payment.processing")
        assert seen == [
            word for word in ("payment.initiated", "payment.processing", "payment.completed") if word in seen
        ]
        last = client.received.of("transaction_update")[-1]["transaction"]
    assert last["amount"] == (250.5 if currency == "USD" else 250) and not isinstance(last["amount"], str)
    assert (last["status"], last["currency"], last["provider"]) == ("completed", currency, provider)
    assert last["customer"]["id"] == "cust-5" and last["metadata"] == {"order_id": "ORD-12345"}


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_subscriber_receives_refund_steps_until_it_unsubscribes(merchant: Stack, language: str) -> None:
    payment = initialize(merchant, "cpay", 1000, "KES")
    with connected(merchant, language) as client:
        client.received.wait_for("connected")
        client.subscribe(payment["id"])
        client.received.wait_for_steps(payment["id"])
        refund(merchant, payment["id"], 400)
        client.received.wait_for_steps(payment["id"], last="partially_refunded")
        assert {"refund.initiated", "refund.completed"} <= set(events(client, payment["id"])) & EVENTS

        client.emit("unsubscribe_transaction", {"transaction_id": payment["id"]})
        (answer,) = client.received.wait_for("unsubscribed")
        assert answer == {"message": f"Unsubscribed from transaction {payment['id']}"}
        received_count = len(client.received.of("transaction_update"))
        refund(merchant, payment["id"], 600)
        # Another payment's push comes over the same connection, later: by then the refund's would have arrived.
        marker = initialize(merchant, "cpay", 5, "KES")
        client.subscribe(marker["id"])
        wait_until(lambda: "payment.completed" in events(client, marker["id"]), "the other payment")
        others = [
            u
            for u in client.received.of("transaction_update")[received_count:]
            if u["transaction"]["id"] != marker["id"]
        ]
        assert others == []


def refund(stack: Stack, payment_id: str, amount: int) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    url = f"{stack.url}/api/v1/payments/{payment_id}/refund"
    answer = requests.post(url, json={"amount": amount, "reason": "x"}, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text


def test_failed_payment_is_pushed_as_failed(merchant: Stack) -> None:
    with python_client(merchant.url) as client:
        payment = initialize(merchant, "mpesa", 7102, "KES")  # the simulated customer cancels
        client.subscribe(payment["id"])
        wait_until(
            lambda: {"payment.failed", "payment.cancelled"} & set(events(client, payment["id"])),
            "the failure",
        )
    answer = requests.get(f"{merchant.url}/api/v1/payments/{payment['id']}", timeout=30).json()["data"]
    assert answer["status"] in ("failed", "cancelled") and answer["failure_reason"]


def test_the_catalogue_has_every_event_the_document_names() -> None:
    from app.events.catalogue import PROVIDER_PAYMENT_EVENTS

    assert {"payment.initiated", "payment.processing", "payment.failed", "refund.completed"} <= EVENTS
    assert EVENTS <= PROVIDER_PAYMENT_EVENTS

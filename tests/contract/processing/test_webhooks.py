"""The document's webhooks against a running demo, whose worker sends to a real server."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.contract.processing.document import DOCUMENT, Reader, Section
from tests.support.stack import Stack
from tests.support.waiting import wait_until
from tests.support.webhooks import Receiver, verified

SECTION = Section("Webhook Endpoints")
REGISTRATION, SIMULATION = (
    json.loads(one) for one in re.findall(r"```json\n(.*?)```", SECTION.text, re.DOTALL)
)


@pytest.fixture
def reader(merchant: Stack) -> Reader:
    """With no endpoints."""
    found = Reader(merchant.url)
    assert found.call("POST", "/test/reset", key="Admin").status_code == 200
    return found


def test_the_documents_calls(reader: Reader) -> None:
    assert "requires admin key" in SECTION.text
    assert reader.call("POST", "/webhooks/endpoints", json=REGISTRATION).status_code == 403
    made = reader.call("POST", "/webhooks/endpoints", key="Admin", json=REGISTRATION)
    assert made.status_code == 201 and made.json().items() >= REGISTRATION.items()
    assert re.fullmatch(r"we_[0-9a-f]{24}", made.json()["id"])
    listed = reader.call("GET", "/webhooks/endpoints", key="Admin").json()
    assert [one["id"] for one in listed["data"]] == [made.json()["id"]]
    simulated = reader.call("POST", "/webhooks/simulate", key="Admin", json=SIMULATION)
    assert simulated.status_code == 200 and simulated.json()["event"]["data"] == SIMULATION["payload"]
    path = f"/webhooks/endpoints/{made.json()['id']}"
    assert reader.call("DELETE", path, key="Admin").json()["deleted"] is True
    assert "Clears all payments, refunds, webhooks" in DOCUMENT
    reader.call("POST", "/webhooks/endpoints", key="Admin", json=REGISTRATION)
    reader.call("POST", "/test/reset", key="Admin")
    assert reader.call("GET", "/webhooks/endpoints", key="Admin").json()["total"] == 0


def test_payments_and_refunds_arrive_as_the_api_shows_them(reader: Reader) -> None:
    with Receiver() as receiver:
        made = reader.call("POST", "/webhooks/endpoints", key="Admin", json={"url": receiver.url}).json()
        payment = reader.pay().json()
        refund = reader.call("POST", f"/payments/{payment['id']}/refund", json={"amount": 25.0}).json()
        refunded = reader.call("GET", f"/payments/{payment['id']}").json()
        declined = reader.pay(amount=1013.00).json()

        def came() -> dict[tuple[str, str], Any]:
            events = [verified(one, made["secret"]) for one in receiver.received]
            return {(one["type"], one["data"]["payment"]["id"]): one["data"] for one in events}

        wanted = {
            ("payment.created", payment["id"]),
            ("payment.completed", payment["id"]),
            ("refund.created", payment["id"]),
            ("refund.completed", payment["id"]),
            ("payment.created", declined["id"]),
            ("payment.failed", declined["id"]),
        }
        wait_until(lambda: came().keys() >= wanted, "the webhooks to arrive")
        found = came()
    assert found["payment.completed", payment["id"]] == {"payment": payment}
    assert found["payment.failed", declined["id"]] == {"payment": declined}
    assert found["refund.completed", payment["id"]]["refund"].keys() == refund.keys()
    assert found["refund.completed", payment["id"]] == {"refund": refund, "payment": refunded}

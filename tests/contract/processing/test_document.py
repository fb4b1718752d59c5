"""The Processing API's document against a running demo: every request gets the documented status, headers and shape."""

from __future__ import annotations

import json
import re
import uuid

import pytest
import requests

from tests.contract.processing.document import DOCUMENT, KEYS, Reader, Section
from tests.support.pages import assert_like
from tests.support.stack import Stack

CREATE = Section("Create Payment")
GET = Section("Get Payment")
LIST = Section("List Payments")
STATUS = Section("Get Payment Status")
CANCEL = Section("Cancel Payment")
REFUND = Section("Create Refund")


@pytest.fixture(scope="module")
def reader(merchant: Stack) -> Reader:
    found = Reader(merchant.url)
    assert found.call("POST", "/test/reset", key="Admin").status_code == 200
    return found


def test_health_and_info(reader: Reader) -> None:
    health = reader.call("GET", "/health", key=None)
    example = Section("Health Check").example("Response 200")
    assert health.status_code == 200
    assert health.json() | {"timestamp": ""} == example | {"timestamp": ""}
    info = reader.call("GET", "/api-info", key=None)
    example = Section("API Info").example("Response 200")
    assert info.json() | {"documentation_url": ""} == example | {"documentation_url": ""}
    assert requests.get(info.json()["documentation_url"], timeout=30).status_code == 200


def test_create(reader: Reader) -> None:
    answer = reader.pay()
    assert answer.status_code == 201
    example = CREATE.example("Response 201")
    body = answer.json()
    assert body.keys() == example.keys()
    assert_like(body, example)
    own = {"id", "created_at", "updated_at", "metadata"}
    assert {name: value for name, value in body.items() if name not in own} == {
        name: value for name, value in example.items() if name not in own
    }
    assert re.fullmatch(r"pay_[0-9a-f]{24}", body["id"])


@pytest.mark.parametrize(
    ("amount", "reason"),
    [(1013.00, "card_declined"), (266.60, "insufficient_funds"), (9100.00, "amount_exceeds_limit")],
)
def test_the_simulated_failures(reader: Reader, amount: float, reason: str) -> None:
    assert reason in CREATE.text
    answer = reader.pay(amount=amount)
    assert answer.status_code == 402
    example = CREATE.example("Response 402")
    assert_like(answer.json(), example)
    assert (answer.json()["status"], answer.json()["failure_reason"]) == ("failed", reason)


def test_get_status_and_list(reader: Reader) -> None:
    made = reader.pay().json()
    assert_like(reader.call("GET", f"/payments/{made['id']}").json(), GET.example("Response 200"))
    missing = reader.call("GET", "/payments/pay_" + "0" * 24)
    assert missing.status_code == 404
    assert_like(missing.json(), GET.example("Response 404"))
    status = reader.call("GET", f"/payments/{made['id']}/status").json()
    assert status.keys() == STATUS.example("Response 200").keys()
    page = reader.call("GET", "/payments?page=1&per_page=10&status=completed&currency=USD")
    assert page.status_code == 200
    example = LIST.example("Response 200")
    assert page.json().keys() == example.keys()
    assert_like(page.json(), example)


def test_cancel(reader: Reader) -> None:
    waiting = reader.pay(metadata={"simulate": "pending"}).json()
    answer = reader.call("POST", f"/payments/{waiting['id']}/cancel")
    assert answer.status_code == 200
    assert answer.json()["status"] == CANCEL.example("Response 200")["status"]
    paid = reader.pay().json()["id"]
    refused = reader.call("POST", f"/payments/{paid}/cancel")
    example = CANCEL.example("Response 409")
    example["error"]["message"] = example["error"]["message"].replace("pay_...", paid)
    assert (refused.status_code, refused.json()) == (409, example)


def test_refund(reader: Reader) -> None:
    payment = reader.pay().json()["id"]
    body = REFUND.example("Request Body")
    answer = reader.call("POST", f"/payments/{payment}/refund", json=body)
    example = REFUND.example("Response 201")
    assert answer.status_code == 201
    assert answer.json().keys() == example.keys()
    own = {"id": "", "payment_id": "", "created_at": "", "updated_at": ""}
    assert answer.json() | own == example | own
    for reason in re.findall(r"`(\w+)`", REFUND.text.split("One of:")[1].split("|")[0]):
        payment = reader.pay().json()["id"]
        answer = reader.call("POST", f"/payments/{payment}/refund", json={"amount": 1, "reason": reason})
        assert (answer.status_code, answer.json()["reason"]) == (201, reason)


def test_the_error_format(reader: Reader) -> None:
    not_found, invalid = re.findall(r"```json\n(.*?)```", DOCUMENT.split("## Error Format")[1], re.DOTALL)[:2]
    answer = reader.call("GET", "/payments/pay_abc123")
    assert answer.json() == json.loads(not_found)
    body = CREATE.example("Request Body") | {"currency": "XYZ"}
    del body["amount"]
    answer = reader.call("POST", "/payments", json=body)
    assert answer.json() == json.loads(invalid)


def test_the_headers(reader: Reader) -> None:
    names = re.findall(r"^\| `(X-[\w-]+)` \|", DOCUMENT, re.MULTILINE)
    assert len(names) == 6
    answer = reader.call("GET", "/payments", headers={"X-Request-Id": "mine"})
    assert all(name in answer.headers for name in names)
    assert answer.headers["X-Request-Id"] == "mine"
    assert answer.headers["X-API-Version"] == "2024-01-15"


def test_the_keys(reader: Reader) -> None:
    assert list(KEYS) == ["Standard", "Admin", "Read Only", "Expired"]
    statuses = {name: reader.call("GET", "/payments", key=name).status_code for name in KEYS}
    assert statuses == {"Standard": 200, "Admin": 200, "Read Only": 200, "Expired": 403}
    other_header = requests.get(
        f"{reader.url}/v1/payments", headers={"X-API-Key": KEYS["Read Only"]}, timeout=30
    )
    assert other_header.status_code == 200
    assert reader.call("POST", "/payments", key="Read Only", json={}).status_code == 403


def test_a_key_is_replayed(reader: Reader) -> None:
    headers = {"Idempotency-Key": f"unique-key-{uuid.uuid4()}"}
    body = CREATE.example("Request Body")
    first, second = (reader.call("POST", "/payments", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200) and first.json() == second.json()


def test_reset(reader: Reader) -> None:
    made = reader.pay().json()["id"]
    answer = reader.call("POST", "/test/reset", key="Admin")
    example = Section("Reset Test Data").example("Response 200")
    assert answer.status_code == 200 and answer.json() | {"timestamp": ""} == example | {"timestamp": ""}
    assert reader.call("GET", f"/payments/{made}").status_code == 404

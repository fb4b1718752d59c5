"""The Processing API's document: every route with the document's bodies."""

from __future__ import annotations

import secrets
from types import MappingProxyType
from typing import Any, Final

from tour import applications
from tour.backend import KEYS, PAYMENT, Backend
from tour.client import GatewayClient
from tour.report import Report

TITLE: Final = "Processing API: payments, refunds, OAuth and webhooks"

REFUND: Final = MappingProxyType({"amount": 25.00, "reason": "requested_by_customer"})

FAILURES: Final = MappingProxyType(
    {113.00: "card_declined", 66.60: "insufficient_funds", 9100.00: "amount_exceeds_limit"}
)
"""Amount → why it fails."""

INVALID: Final = (
    {"field": "amount", "code": "required", "message": "The 'amount' field is required."},
    {"field": "currency", "code": "invalid_value", "message": "'XYZ' is not a supported currency."},
)
HEADERS: Final = (
    "X-Request-Id",
    "X-Response-Time",
    "X-API-Version",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
)


def play(client: GatewayClient, report: Report) -> None:
    """Raises Difference when it cannot go on."""
    backend = Backend(client)
    _ask_without_a_key(backend, report)
    payment_id = _pay(backend, report)
    _read(backend, report, payment_id)
    _fail(backend, report)
    _cancel(backend, report, payment_id)
    _refund(backend, report, payment_id)
    _be_refused(backend, report)
    applications.play_oauth(backend, report)
    applications.play_webhooks(backend, report)
    _reset(backend, report, payment_id)


def _ask_without_a_key(backend: Backend, report: Report) -> None:
    report.step("Health Check and API Info")
    health = backend.call("GET", "/health", who=None).json()
    report.expect("health", (health["status"], health["version"]), ("healthy", "2.4.0"))
    report.expect("checks", set(health["checks"].values()), {"connected"})
    info = backend.call("GET", "/api-info", who=None).json()
    report.expect("api version", (info["api_version"], info["environment"]), ("2024-01-15", "test"))


def _pay(backend: Backend, report: Report) -> str:
    report.step("Create Payment, with an Idempotency-Key")
    key = f"unique-key-{secrets.token_hex(8)}"
    first, repeat = backend.pay(key=key), backend.pay(key=key)
    body: dict[str, Any] = first.json()
    report.expect("payment", (first.status_code, body.get("status")), (201, "completed"))
    report.expect("the same key again", (repeat.status_code, repeat.json()), (200, body))
    report.expect("marked as a replay", repeat.headers.get("X-Idempotent-Replayed"), "true")
    report.expect("headers missing", [name for name in HEADERS if name not in first.headers], [])
    payment_id: str = body["id"]
    return payment_id


def _read(backend: Backend, report: Report, payment_id: str) -> None:
    report.step("Get Payment, Get Payment Status, List Payments")
    read = backend.call("GET", f"/payments/{payment_id}", who="read-only").json()
    report.expect("amount", (read["amount"], read["metadata"]), (PAYMENT["amount"], PAYMENT["metadata"]))
    status = backend.call("GET", f"/payments/{payment_id}/status").json()
    report.expect("status", (status["status"], status["failure_reason"]), ("completed", None))
    path = "/payments?page=1&per_page=10&status=completed&currency=USD"
    listed = backend.call("GET", path).json()
    report.expect("the newest in the list", listed["data"][0]["id"], payment_id)


def _fail(backend: Backend, report: Report) -> None:
    report.step("Simulated Failure Triggers")
    for amount, reason in FAILURES.items():
        answer = backend.pay(amount=amount)
        found = (answer.status_code, answer.json().get("failure_reason"))
        report.expect(f"{amount:.2f}", found, (402, reason))


def _cancel(backend: Backend, report: Report, payment_id: str) -> None:
    report.step("Cancel Payment")
    waiting = backend.pay(metadata={"simulate": "pending"}).json()
    cancelled = backend.call("POST", f"/payments/{waiting['id']}/cancel")
    found = (cancelled.status_code, cancelled.json().get("status"))
    report.expect("a payment that waits", found, (200, "cancelled"))
    refused = backend.call("POST", f"/payments/{payment_id}/cancel")
    message = f"Payment '{payment_id}' cannot be cancelled. Current status: 'completed'."
    report.expect(
        "a completed one", (refused.status_code, refused.json()["error"]["message"]), (409, message)
    )


def _refund(backend: Backend, report: Report, payment_id: str) -> None:
    report.step("Create Refund: a part, then the rest")
    part = backend.call("POST", f"/payments/{payment_id}/refund", json=dict(REFUND))
    found = {name: part.json().get(name) for name in REFUND}
    report.expect("a part", (part.status_code, found), (201, dict(REFUND)))
    rest = backend.call("POST", f"/payments/{payment_id}/refund")
    report.expect("the rest", (rest.status_code, rest.json().get("amount")), (201, 24.99))
    after = backend.call("GET", f"/payments/{payment_id}").json()
    report.expect("the payment", (after["status"], after["refunded_amount"]), ("refunded", 49.99))


def _be_refused(backend: Backend, report: Report) -> None:
    report.step("Error Format")
    missing = backend.call("GET", "/payments/pay_abc123").json()["error"]
    expected = {"type": "not_found", "message": "Payment 'pay_abc123' not found.", "status": 404}
    report.expect("an unknown payment", missing, expected)
    body = {name: value for name, value in PAYMENT.items() if name != "amount"} | {"currency": "XYZ"}
    invalid = backend.call("POST", "/payments", json=body)
    report.expect(
        "a validation error", (invalid.status_code, invalid.json()["error"]["errors"]), (422, list(INVALID))
    )
    statuses = {who: backend.call("GET", "/payments", who=who).status_code for who in KEYS}
    report.expect("the keys", statuses, dict.fromkeys(KEYS, 200) | {"expired": 403})
    report.expect(
        "a read-only key that pays", backend.call("POST", "/payments", who="read-only").status_code, 403
    )


def _reset(backend: Backend, report: Report, payment_id: str) -> None:
    report.step("Reset Test Data")
    done = backend.call("POST", "/test/reset", who="admin")
    report.expect(
        "reset", (done.status_code, done.json().get("message")), (200, "All test data has been reset.")
    )
    gone = backend.call("GET", f"/payments/{payment_id}")
    report.expect("the payment is not shown any more", gone.status_code, 404)

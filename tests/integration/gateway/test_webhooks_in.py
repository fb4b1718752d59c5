"""Callbacks over HTTP: a signed callback is stored, acknowledged and applied once; everything else changes nothing."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.worker.runner import start_recurring
from tests.integration.gateway.conftest import CPay, MerchantClient


def status_of(merchant: MerchantClient, payment: dict[str, Any]) -> str:
    status: str = merchant.get(f"/{payment['id']}").json["data"]["status"]
    return status


@pytest.fixture
def nothing_stored(rows: Callable[..., list[Any]]) -> Any:
    before = rows("SELECT count(*) FROM provider_events")
    yield
    assert rows("SELECT count(*) FROM provider_events") == before


def test_signed_callback_completes_a_payment(
    merchant: MerchantClient, cpay: CPay, run_due_jobs: Callable[[], int], rows: Callable[..., list[Any]]
) -> None:
    payment = merchant.waiting()
    body = cpay.callback_body(payment)
    answer = cpay.send(body)
    assert answer.status_code == 200
    (kept,) = rows(
        "SELECT state, is_verified, body FROM provider_events WHERE provider_event_id = :id",
        id=json.loads(body)["event_id"],
    )
    assert (kept.state, kept.is_verified, bytes(kept.body)) == ("received", True, body)
    run_due_jobs()
    assert status_of(merchant, payment) == "completed"


def test_signed_callback_resolves_a_lost_answer(
    merchant: MerchantClient, cpay: CPay, run_due_jobs: Callable[[], int]
) -> None:
    payment = merchant.initialize(amount=7001).json["data"]
    assert payment["status"] == "processing"
    assert cpay.send(cpay.callback_body(payment, transaction_id="CPAY-0123456789AB")).status_code == 200
    run_due_jobs()
    assert status_of(merchant, payment) == "completed"


def test_a_signed_callback_of_another_amount_keeps_nothing(
    merchant: MerchantClient, cpay: CPay, run_due_jobs: Callable[[], int], rows: Callable[..., list[Any]]
) -> None:
    """Then the right one, twice. Breaks when the id of the first is kept, so that no other can be queried by."""
    payment = merchant.waiting()
    for amount, status in (
        ("1.00", "processing"),
        (payment["amount"], "completed"),
        (payment["amount"], "completed"),
    ):
        assert cpay.send(cpay.callback_body(payment, amount=amount)).status_code == 200
        run_due_jobs()
        assert status_of(merchant, payment) == status
    posted = (
        "SELECT count(*) FROM entries e JOIN payment_attempts a ON a.id = e.ref_id WHERE a.payment_id = :id"
    )
    assert rows(posted, id=payment["id"]) == [(1,)]


def test_nothing_but_a_signed_callback_of_another_amount_is_for_an_operator(
    merchant: MerchantClient, cpay: CPay, run_due_jobs: Callable[[], int]
) -> None:
    """Breaks when it is forgotten, and the payment expires."""
    payment = merchant.waiting()
    assert cpay.send(cpay.callback_body(payment, amount="1.00")).status_code == 200
    for _ in range(6):
        run_due_jobs()
        clock.travel(timedelta(minutes=6))
    shown = merchant.get(f"/{payment['id']}").json["data"]
    assert (shown["status"], shown["review"]) == ("processing", "contradicting_answers")


def test_repeated_callback_is_applied_once(
    merchant: MerchantClient, cpay: CPay, run_due_jobs: Callable[[], int], rows: Callable[..., list[Any]]
) -> None:
    payment = merchant.waiting()
    body = cpay.callback_body(payment)
    for _ in range(3):
        assert cpay.send(body).status_code == 200
        run_due_jobs()
    (kept,) = rows(
        "SELECT repeats FROM provider_events WHERE provider_event_id = :id", id=json.loads(body)["event_id"]
    )
    assert kept.repeats == 2 and status_of(merchant, payment) == "completed"


@pytest.mark.parametrize("signature", ["", "0" * 64, "sha256=", "ü", "x" * 5000])
def test_a_forged_callback_is_401_and_changes_nothing(
    merchant: MerchantClient,
    cpay: CPay,
    run_due_jobs: Callable[[], int],
    nothing_stored: None,
    signature: str,
) -> None:
    payment = merchant.waiting()
    answer = cpay.send(cpay.callback_body(payment), signature=signature)
    assert answer.status_code == 401 and answer.json["success"] is False
    run_due_jobs()
    assert status_of(merchant, payment) == "processing"


def test_signature_of_another_body_is_refused(
    merchant: MerchantClient, cpay: CPay, nothing_stored: None
) -> None:
    payment = merchant.waiting()
    signed = cpay.callback_body(payment, "payment.failed")
    captured: dict[str, str] = {}
    real_post = cpay.client.post

    def capture(*args: Any, **kwargs: Any) -> Any:
        captured.update(kwargs["headers"])
        return real_post(*args, **kwargs | {"data": signed.replace(b"payment.failed", b"payment.completed")})

    cpay.client.post = capture  # type: ignore[method-assign]
    assert cpay.send(signed).status_code == 401 and captured


def test_callback_with_another_amount_does_not_complete_the_payment(
    merchant: MerchantClient, cpay: CPay, run_due_jobs: Callable[[], int]
) -> None:
    payment = merchant.waiting()
    assert cpay.send(cpay.callback_body(payment, amount="1.00")).status_code == 200
    run_due_jobs()
    assert status_of(merchant, payment) != "completed"


def test_callback_with_unknown_reference_is_stored_and_ignored(
    merchant: MerchantClient, cpay: CPay, run_due_jobs: Callable[[], int], rows: Callable[..., list[Any]]
) -> None:
    body = cpay.callback_body(
        merchant.waiting(), reference=secrets.token_hex(18), transaction_id="CPAY-000000000000"
    )
    assert cpay.send(body).status_code == 200
    run_due_jobs()
    (kept,) = rows(
        "SELECT state, payment_id FROM provider_events WHERE provider_event_id = :id",
        id=json.loads(body)["event_id"],
    )
    assert kept.payment_id is None and kept.state in ("ignored", "received")


@pytest.mark.parametrize(
    "path", ["nobody", "MPESA", "c-pay", "cpay/", "cpay/a/b", "cpay/ä", "cpay/%00", "%00", "x" * 99]
)
def test_unknown_webhook_paths_are_404(cpay: CPay, nothing_stored: None, path: str) -> None:
    answer = cpay.send(b"{}", path=f"/api/v1/webhooks/{path}")
    assert answer.status_code == 404 and answer.json["success"] is False


def test_an_unknown_token_is_404(merchant: MerchantClient, cpay: CPay, nothing_stored: None) -> None:
    body = cpay.callback_body(merchant.waiting())
    answer = cpay.send(body, path=f"/api/v1/webhooks/cpay/{secrets.token_urlsafe(32)}")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"event":1}', b"{}"]
)
def test_signed_nonsense_is_kept_and_changes_nothing(
    cpay: CPay, run_due_jobs: Callable[[], int], rows: Callable[..., list[Any]], body: bytes
) -> None:
    assert cpay.send(body).status_code == 200
    run_due_jobs()
    kept = (
        "SELECT event_type, state, payment_id FROM provider_events WHERE provider = 'cpay' AND body = :body"
    )
    assert rows(kept, body=body) == [("unreadable", "ignored", None)]


@pytest.mark.parametrize("provider", ["mpesa", "stripe", "chapa", "paystack", "pesapal", "cpay"])
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", "x"]
)
@pytest.mark.parametrize(
    "body", [b"", b"a=1&b=2", b'{"a":', b"\x00\xff", b'{"Body":{"stkCallback":[]}}', b'{"event":{}}']
)
def test_malformed_callbacks_are_never_500(
    client: FlaskClient, provider: str, content_type: str, body: bytes
) -> None:
    path = f"/api/v1/webhooks/{provider}"
    for method in ("POST", "GET"):
        answer = client.open(path, method=method, data=body, content_type=content_type)
        assert answer.status_code < 500, f"{method}: {answer.data!r}"


def test_a_body_has_a_limit(cpay: CPay, client: FlaskClient, nothing_stored: None) -> None:
    answer = cpay.send(b"x" * 262_145)
    assert answer.status_code == 413 and answer.json["success"] is False
    assert answer.headers["Connection"] == "close"


def test_nul_characters_are_refused(client: FlaskClient, nothing_stored: None) -> None:
    callback = f"OrderTrackingId={uuid.uuid4()}&OrderMerchantReference=b&OrderNotificationType=IPNCHANGE"
    answer = client.get(f"/api/v1/webhooks/pesapal?{callback}&x=%00")
    assert answer.status_code == 400 and answer.json["success"] is False


def test_probing_the_webhook_url_changes_nothing(client: FlaskClient, nothing_stored: None) -> None:
    assert client.head("/api/v1/webhooks/pesapal?OrderTrackingId=x").status_code == 200


@pytest.mark.parametrize("word", ["events", "statistics", "dead-letter-queue"])
def test_operation_names_are_not_providers(client: FlaskClient, word: str) -> None:
    assert client.get(f"/api/v1/webhooks/{word}").status_code == 401
    assert client.post(f"/api/v1/webhooks/{word}").status_code == 405
    assert client.post(f"/api/v1/webhooks/{word}/x").status_code == 404


def test_other_methods_are_405(client: FlaskClient) -> None:
    answer = client.put("/api/v1/webhooks/cpay", json={})
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]


def test_anonymous_callbacks_are_deleted_after_a_week(
    app: Flask, client: FlaskClient, rows: Callable[..., list[Any]], run_due_jobs: Callable[[], int]
) -> None:
    """Breaks when anonymous callbacks are kept for ever: invented order numbers would fill the disk."""
    with app.app_context():
        start_recurring()
    callback = {"OrderTrackingId": "invented", "OrderNotificationType": "IPNCHANGE"}
    sent = client.post("/api/v1/webhooks/pesapal", json=callback)
    assert sent.status_code == 200
    run_due_jobs()
    mine = "SELECT state FROM provider_events WHERE provider_reference = 'invented'"
    assert rows(mine) == [("ignored",)]
    clock.travel(timedelta(days=6))
    run_due_jobs()
    assert rows(mine) == [("ignored",)]
    clock.travel(timedelta(days=2))
    run_due_jobs()
    assert rows(mine) == []

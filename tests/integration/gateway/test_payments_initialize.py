"""POST /payments/initialize: the documented answers, idempotency keys, and refusals by the provider."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock, create_app
from app.services.operator import retention
from app.services.realtime.tokens import is_realtime_token
from tests.integration.gateway.conftest import INITIALIZE, MerchantClient, make_merchant, request_body
from tests.support.factories import make_user

MISSING_KEY = {
    "error": "Missing Idempotency-Key header",
    "message": "All mutation requests require an Idempotency-Key header",
}

FIELDS = {
    "id",
    "idempotency_key",
    "provider",
    "provider_transaction_id",
    "amount",
    "currency",
    "status",
    "customer",
    "payment_method",
    "metadata",
    "provider_response",
    "payment_url",
    "created_at",
    "updated_at",
    "completed_at",
}


def count(rows: Callable[..., list[Any]], merchant: MerchantClient) -> int:
    ((found,),) = rows("SELECT count(*) FROM payments WHERE tenant_id = :id", id=merchant.tenant_id)
    return int(found)


def test_initialize_answers_as_documented(merchant: MerchantClient) -> None:
    answer = merchant.initialize(key="first-order", amount=1000.00)
    body = answer.json
    data = body["data"]
    assert answer.status_code == 201 and body["success"] is True and set(body) == {"success", "data"}
    assert set(data) >= FIELDS
    assert str(uuid.UUID(data["id"])) == data["id"]
    assert (data["idempotency_key"], data["amount"], data["currency"]) == ("first-order", "1000.00", "KES")
    assert (data["provider"], data["payment_method"], data["status"]) == ("cpay", "cpay", "completed")
    assert data["provider_transaction_id"].startswith("CPAY-")
    assert data["customer"] == {
        "id": None,
        "phone": "+254700000000",
        "email": "test@example.com",
        "name": "John Doe",
    }
    assert data["metadata"] == {"order_id": "ORD-12345"}
    assert data["created_at"].endswith("Z") and data["completed_at"].endswith("Z")


def test_the_payment_can_be_watched_with_its_token(app: Flask, merchant: MerchantClient) -> None:
    data = merchant.initialize().json["data"]
    with app.app_context():
        assert is_realtime_token(uuid.UUID(data["id"]), data["realtime_token"])
    assert "realtime_token" not in merchant.get(f"/{data['id']}").json["data"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": ""}, {"Idempotency-Key": "  "}])
def test_missing_key_is_refused_before_validation(
    client: FlaskClient, merchant: MerchantClient, headers: dict[str, str]
) -> None:
    for body in (request_body(), {"provider": "unknown"}):
        answer = client.post(INITIALIZE, json=body, headers=merchant.headers | headers)
        assert (answer.status_code, answer.json) == (400, MISSING_KEY)


def test_a_key_must_be_printable(merchant: MerchantClient) -> None:
    answer = merchant.initialize(key="k" * 256)
    assert answer.status_code == 400 and answer.json["success"] is False


def test_two_keys_are_no_key(client: FlaskClient, merchant: MerchantClient) -> None:
    """Which of them would a retry be recognised by?"""
    headers = [*merchant.headers.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = client.post(INITIALIZE, json=request_body(), headers=headers)
    assert answer.status_code == 400 and "sent once" in answer.json["error"]


def test_duplicate_key_replays_the_first_answer(
    merchant: MerchantClient, rows: Callable[..., list[Any]]
) -> None:
    first, again = merchant.initialize(key="twice"), merchant.initialize(key="twice")
    assert (again.status_code, again.json) == (201, first.json)
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert count(rows, merchant) == 1


def test_after_a_day_the_key_shows_the_payment_and_the_stored_answer_is_deleted(
    app: Flask, merchant: MerchantClient, rows: Callable[..., list[Any]]
) -> None:
    """Breaks when customers' details are kept with the key, or the key creates a second payment."""
    first = merchant.initialize(key="old")
    clock.travel(timedelta(hours=24, seconds=1))
    with app.app_context():
        retention.sweep()
    stored = rows("SELECT count(*) FROM idempotency WHERE body LIKE '%test@example.com%'")
    assert stored[0][0] == 0
    again = merchant.initialize(key="old")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json["data"]["id"] == first.json["data"]["id"]
    assert len(rows("SELECT id FROM payments WHERE tenant_id = :id", id=merchant.tenant_id)) == 1
    assert merchant.initialize(key="old", amount=1).status_code == 422


def test_a_final_payment_leaves_no_job(merchant: MerchantClient, rows: Callable[..., list[Any]]) -> None:
    """Breaks when its job stays until it is due: jobs then pile up as fast as payments come."""
    payment_id = merchant.paid()["id"]
    of_the_payment = (
        "SELECT FROM jobs j JOIN payment_attempts a ON a.id::text = j.ref WHERE a.payment_id = :id"
    )
    assert rows(of_the_payment, id=payment_id) == []


def test_equivalent_body_with_the_same_key_is_a_replay(
    merchant: MerchantClient, rows: Callable[..., list[Any]]
) -> None:
    first = merchant.initialize(key="spelt", amount=1000)
    customer = {"phone": "0700 000-000", "email": "test@example.com", "name": "John Doe"}
    again = merchant.initialize(key="spelt", amount="1000.00", provider="CPay", customer=customer)
    assert again.status_code == 201 and again.json == first.json
    assert count(rows, merchant) == 1


def test_same_key_with_another_body_is_refused(
    merchant: MerchantClient, rows: Callable[..., list[Any]]
) -> None:
    merchant.initialize(key="two-orders")
    answer = merchant.initialize(key="two-orders", amount=999)
    assert answer.status_code == 422 and answer.json["success"] is False
    assert count(rows, merchant) == 1


def test_keys_are_scoped_to_the_tenant(merchant: MerchantClient, other_merchant: MerchantClient) -> None:
    mine, theirs = merchant.initialize(key="common"), other_merchant.initialize(key="common", amount=5)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json["data"]["id"] != theirs.json["data"]["id"]


def test_refused_request_does_not_use_its_key(merchant: MerchantClient) -> None:
    assert merchant.initialize(key="free", amount=-1).status_code == 400
    answer = merchant.initialize(key="free")
    assert answer.status_code == 201 and "Idempotent-Replayed" not in answer.headers


def test_a_declined_payment_is_402_and_stays_so(merchant: MerchantClient) -> None:
    """113.00 ends like the amounts CPay's cards decline."""
    answer, again = merchant.initialize(key="no", amount=113), merchant.initialize(key="no", amount=113)
    body = answer.json
    assert answer.status_code == 402 and set(body) == {"success", "error", "data"}
    assert (body["success"], body["error"]) == (False, "The payment was declined.")
    assert (body["data"]["status"], body["data"]["failure_code"]) == ("failed", "declined")
    said = {"code": "card_declined", "message": "The card was declined."}
    assert (body["data"]["failure_reason"], body["data"]["provider_failure"]) == (body["error"], said)
    assert (again.status_code, again.json, again.headers["Idempotent-Replayed"]) == (402, body, "true")
    assert merchant.get(f"/{body['data']['id']}").json["data"]["status"] == "failed"


def test_a_provider_out_of_reach_is_502(merchant: MerchantClient) -> None:
    answer = merchant.initialize(amount=7120)
    assert answer.status_code == 502 and answer.json["success"] is False
    assert answer.json["error"] and answer.json["data"]["status"] == "failed"
    assert answer.json["data"]["failure_code"] == "provider_unavailable"
    assert answer.json["data"]["provider_failure"] is None


def test_a_lost_answer_is_no_failure(merchant: MerchantClient) -> None:
    """CPay did it and its answer was lost. Breaks when a time-out is taken for a no."""
    answer = merchant.initialize(amount=7001)
    assert answer.status_code == 201
    assert answer.json["data"]["status"] in ("processing", "completed")


@pytest.fixture(scope="module")
def app_alone(settings: dict[str, str]) -> Flask:
    """The application where no provider is to be reached."""
    return create_app({**settings, "SANDBOX_URL": "http://127.0.0.1:1"})


@pytest.mark.parametrize("provider", ["mpesa", "stripe", "visa", "chapa", "paystack", "pesapal", "auto"])
@pytest.mark.parametrize("currency", ["KES", "ETB", "NGN", "USD", "KWD", "JPY"])
def test_unavailable_provider_is_not_answered_with_500(
    app_alone: Flask, provider: str, currency: str
) -> None:
    """The provider either does not accept the request (400) or is not reached (502)."""
    merchant = make_merchant(app_alone, app_alone.test_client())
    answer = merchant.initialize(provider=provider, currency=currency, amount=1000)
    body = answer.json
    if answer.status_code == 400:
        assert body["success"] is False and body["error"] and "data" not in body
        return
    data = body["data"]
    assert (data["payment_method"], data["currency"]) == (provider, currency)
    if answer.status_code == 201:
        assert provider == "auto" and data["provider"] == "cpay"  # the only one left to ask
    else:
        assert (answer.status_code, body["success"], data["status"]) == (502, False, "failed")


def test_users_cannot_initialize_payments(app: Flask, client: FlaskClient) -> None:
    headers = make_user(app).headers | {"Idempotency-Key": "user"}
    answer = client.post(INITIALIZE, json=request_body(), headers=headers)
    assert answer.status_code == 403 and answer.json["success"] is False


@pytest.mark.parametrize(
    "headers", [{}, {"X-TENANT-API-KEY": "mlp_nobody"}, {"Authorization": "Bearer mlp_x"}]
)
def test_missing_credential_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post(INITIALIZE, json=request_body(), headers=headers | {"Idempotency-Key": "x"})
    assert answer.status_code == 401 and answer.json["success"] is False


@pytest.mark.parametrize(
    "header",
    ["X-API-Key", "Api-Key", "apikey", "Token", "X-Tenant-Key", "Secret-Key", "X-Merchant-Token", "Key"],
)
def test_a_key_in_another_apis_header_is_refused_and_named(
    client: FlaskClient, merchant: MerchantClient, header: str
) -> None:
    """In demo mode the request would pass for the demo tenant's."""
    answer = client.post(
        INITIALIZE, json=request_body(), headers={header: merchant.key, "Idempotency-Key": "x"}
    )
    assert answer.status_code == 401 and f"{header.title()} is not read" in answer.json["error"]
    assert "X-TENANT-API-KEY" in answer.json["error"]


def test_a_merchants_key_at_a_users_route_is_told_so(client: FlaskClient, merchant: MerchantClient) -> None:
    answer = client.post("/api/v1/payments", json={}, headers=merchant.headers)
    assert answer.status_code == 401
    assert answer.json["error"]["message"].startswith("X-TENANT-API-KEY is for merchants.")


def test_a_currency_may_be_written_in_lower_case(merchant: MerchantClient) -> None:
    """And a retry in upper case is the same request."""
    first, again = (
        merchant.initialize(key="case", currency="usd"),
        merchant.initialize(key="case", currency="USD"),
    )
    assert (first.status_code, first.json["data"]["currency"]) == (201, "USD")
    assert again.json == first.json


def test_api_key_is_accepted_as_bearer(client: FlaskClient, merchant: MerchantClient) -> None:
    headers = {"Authorization": f"Bearer {merchant.key}", "Idempotency-Key": "bearer"}
    assert client.post(INITIALIZE, json=request_body(), headers=headers).status_code == 201


def test_metadata_is_returned_unchanged(merchant: MerchantClient) -> None:
    metadata = {"n": 12345678901234567, "x": 0.1, "deep": [{"a": None, "b": True}], "ключ": "значение"}
    data = merchant.paid(metadata=metadata)
    assert json.loads(json.dumps(merchant.get(f"/{data['id']}").json["data"]["metadata"])) == metadata

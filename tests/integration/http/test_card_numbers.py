"""Card numbers in free text are refused by both APIs; numbers that are none are not."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.integration.http.conftest import make_payer
from tests.support.factories import balance_of
from tests.support.tenants import make_merchant

CARDS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "3782 822463 10005",
    "30569309025904",
    "6011000990139424",
    "2223003122003222",
    "4222222222222",
    "6304000000000000000",
    "my card is 5555555555554444, thanks",
    "card_5555555555554444",
    "4111 1111 1111 1111 12/27 123",
    "４１１１１１１１１１１１１１１１",
    "4111\u00a01111\u20111111\u00a01111",
]

NOT_CARDS = [
    "4111111111111112",
    "254700000000",
    "+4915123456785",
    "1764473923000",
    "1764473923008",
    "20260101120007",
    "20260101120000123",
    "abcdefab-4111-1111-1111-1111abcdefab",
    "41111111-1111-1111-1111-111111111111",
    "pmt_4111111111111111aabbccddeeff0011",
    "ORD-4111111111111111X",
    "4111.1111.1111.1111",
    "41111111111111111111",
]


def test_wallet_payments_refuse_card_numbers(app: Flask, client: FlaskClient) -> None:
    payer = make_payer(app)
    bodies = [payer.payment_body(description=card) for card in CARDS]
    bodies += [
        payer.payment_body(metadata=metadata)
        for metadata in (
            {"card": 4111111111111111},
            {"card": "4111111111111111"},
            {"4111111111111111": "card"},
            {"a": [{"b": {"c": ["x", "4111 1111 1111 1111"]}}]},
        )
    ]
    for body in bodies:
        answer = client.post("/api/v1/payments", json=body, headers=payer.headers)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "CARD_DATA_NOT_ALLOWED"), body
        assert "1111" not in answer.text
    item = {"amount": 1, "destination": payer.recipient_wallet, "description": CARDS[0]}
    batch = {"source_wallet_id": payer.wallet, "payments": [item | {"description": "tea"}, item]}
    answer = client.post("/api/v1/payments/batch", json=batch, headers=payer.headers)
    assert answer.json["error"]["code"] == "CARD_DATA_NOT_ALLOWED"
    assert answer.json["error"]["field"] == "payments.1.description"
    assert balance_of(app, payer.user, payer.wallet) == "100.00"


def test_other_numbers_are_taken(app: Flask, client: FlaskClient) -> None:
    payer = make_payer(app)
    texts = [*NOT_CARDS, *(str(uuid.UUID(int=number * 10**36)) for number in range(1, 40))]
    metadata = {"texts": texts, "time_ms": 1764473923008, "phone": 254700000000, "flag": True, "rate": 1.5}
    for description in NOT_CARDS:
        body = payer.payment_body(description=description, metadata=metadata)
        answer = client.post("/api/v1/payments", json=body, headers=payer.headers)
        assert answer.status_code == 201, (description, answer.json)


@pytest.mark.parametrize(
    "more",
    [
        {"metadata": {"note": {"4111-1111-1111-1111": 1}}},
        {"customer": {"phone": "+254712345678", "name": "4111111111111111"}},
        {"description": "Card 4111 1111 1111 1111"},
        {"reference": "4111111111111111"},
    ],
)
def test_gateway_payments_refuse_card_numbers(app: Flask, client: FlaskClient, more: dict[str, Any]) -> None:
    merchant = make_merchant(app)
    body = {"provider": "cpay", "amount": 5, "currency": "KES", "customer": {"phone": "+254712345678"}} | more
    headers = {"X-TENANT-API-KEY": merchant.api_key, "Idempotency-Key": uuid.uuid4().hex}
    answer = client.post("/api/v1/payments/initialize", json=body, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (400, "Validation error")
    assert "card_data_not_allowed" in answer.text and "1111" not in answer.text


def test_refunds_refuse_card_numbers_in_their_reason(app: Flask, client: FlaskClient) -> None:
    headers = {"X-TENANT-API-KEY": make_merchant(app).api_key, "Idempotency-Key": uuid.uuid4().hex}
    path = f"/api/v1/payments/{uuid.uuid4()}/refund"
    answer = client.post(path, json={"reason": "back to 4111 1111 1111 1111"}, headers=headers)
    assert answer.status_code == 400 and "card_data_not_allowed" in answer.text

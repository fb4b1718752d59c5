"""Each code of a field that is not valid, in the error format of document 003; nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.processing.conftest import Caller

CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"amount": ...}, "amount", "required"),
    ({"amount": None}, "amount", "required"),
    ({"amount": "49.99"}, "amount", "invalid_type"),
    ({"amount": True}, "amount", "invalid_type"),
    ({"amount": [1]}, "amount", "invalid_type"),
    ({"amount": 0}, "amount", "invalid_value"),
    ({"amount": -5}, "amount", "invalid_value"),
    ({"amount": 10.001}, "amount", "invalid_value"),
    ({"amount": 100.5, "currency": "JPY"}, "amount", "invalid_value"),
    ({"amount": 0.49}, "amount", "amount_too_small"),
    ({"amount": 0.29, "currency": "GBP"}, "amount", "amount_too_small"),
    ({"amount": 49, "currency": "JPY"}, "amount", "amount_too_small"),
    ({"amount": 0.99, "currency": "INR"}, "amount", "amount_too_small"),
    ({"amount": 1000000}, "amount", "amount_too_large"),
    ({"amount": 1e30}, "amount", "amount_too_large"),
    ({"amount": 100000000, "currency": "JPY"}, "amount", "amount_too_large"),
    ({"amount": 100000000, "currency": "INR"}, "amount", "amount_too_large"),
    ({"currency": ...}, "currency", "required"),
    ({"currency": 5}, "currency", "invalid_type"),
    ({"currency": "XYZ"}, "currency", "invalid_value"),
    ({"currency": "KES"}, "currency", "invalid_value"),
    ({"description": ...}, "description", "required"),
    ({"description": 5}, "description", "invalid_type"),
    ({"description": ""}, "description", "empty_value"),
    ({"description": "  "}, "description", "empty_value"),
    ({"description": "x" * 501}, "description", "too_long"),
    ({"description": "a\tb"}, "description", "invalid_value"),
    ({"description": "4242 4242 4242 4242"}, "description", "card_data_not_allowed"),
    ({"customer_email": ...}, "customer_email", "required"),
    ({"customer_email": ["a@b.c"]}, "customer_email", "invalid_type"),
    ({"customer_email": ""}, "customer_email", "empty_value"),
    ({"customer_email": "not-an-address"}, "customer_email", "invalid_format"),
    ({"customer_email": " a@example.com"}, "customer_email", "invalid_format"),
    ({"payment_method": 1}, "payment_method", "invalid_type"),
    ({"payment_method": "cash"}, "payment_method", "invalid_value"),
    ({"metadata": "x"}, "metadata", "invalid_type"),
    ({"metadata": []}, "metadata", "invalid_type"),
    ({"metadata": {f"k{number}": 1 for number in range(21)}}, "metadata", "too_many_keys"),
    ({"metadata": {"k" * 41: 1}}, "metadata." + "k" * 40, "invalid_key"),
    ({"metadata": {"a": {"b": 1}}}, "metadata.a", "invalid_value_type"),
    ({"metadata": {"a": None}}, "metadata.a", "invalid_value_type"),
    ({"metadata": {"a": "x" * 501}}, "metadata.a", "too_long"),
    ({"metadata": {"a": "4242424242424242"}}, "metadata.a", "card_data_not_allowed"),
    ({"metadata": {"a": 2**64}}, "metadata.a", "invalid_value_type"),
    ({"surprise": 1}, "surprise", "unknown_field"),
]


@pytest.mark.parametrize(("differing", "field", "code"), CASES)
def test_each_code(shop: Caller, differing: dict[str, Any], field: str, code: str) -> None:
    answer = shop.pay(**differing)
    assert answer.status_code == 422, answer.data
    error = answer.json["error"]
    assert (error["type"], error["status"]) == ("validation_error", 422)
    assert error["message"] == "The request body contains invalid parameters."
    (found,) = error["errors"]
    assert (found["field"], found["code"]) == (field, code) and found["message"]
    assert shop.get("/payments").json["pagination"]["total"] == 0


def test_the_documents_messages(shop: Caller) -> None:
    errors = shop.pay(amount=..., currency="XYZ").json["error"]["errors"]
    assert errors == [
        {"field": "amount", "code": "required", "message": "The 'amount' field is required."},
        {"field": "currency", "code": "invalid_value", "message": "'XYZ' is not a supported currency."},
    ]


@pytest.mark.parametrize(
    "amount_and_currency",
    [(0.5, "USD"), (999999.99, "EUR"), (0.3, "GBP"), (50, "JPY"), (99999999, "JPY"), (99999999.99, "INR")],
)
def test_the_bounds_are_valid(shop: Caller, amount_and_currency: tuple[float, str]) -> None:
    amount, currency = amount_and_currency
    assert shop.pay(amount=amount, currency=currency).status_code == 201
    assert shop.pay(amount=amount, currency=currency.lower()).json["currency"] == currency


@pytest.mark.parametrize(
    ("body", "status", "error_type"),
    [
        (b"", 400, "invalid_request"),
        (b"{", 400, "invalid_request"),
        (b"[]", 400, "invalid_request"),
        (b'"x"', 400, "invalid_request"),
        (b'{"amount": NaN}', 400, "invalid_request"),
        (b'{"amount": 1, "amount": 2}', 400, "invalid_request"),
        (b"{}", 422, "validation_error"),
    ],
)
def test_a_body_that_is_none(shop: Caller, body: bytes, status: int, error_type: str) -> None:
    answer = shop.client.post(
        "/v1/payments", data=body, headers=shop.headers(), content_type="application/json"
    )
    assert (answer.status_code, answer.json["error"]["type"]) == (status, error_type)
    if status == 422:
        (found,) = answer.json["error"]["errors"]
        assert (found["field"], found["code"]) == ("body", "invalid_body")


def test_another_type_of_body(shop: Caller) -> None:
    answer = shop.client.post(
        "/v1/payments", data="amount=1", headers=shop.headers(), content_type="text/plain"
    )
    assert (answer.status_code, answer.json["error"]["type"]) == (415, "invalid_request")

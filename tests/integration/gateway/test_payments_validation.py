"""Requests for payments and refunds that are not valid: the documented error, nothing stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.services.payments import routing
from tests.integration.gateway.conftest import INITIALIZE, MerchantClient, request_body

CUSTOMER = {"phone": "+254700000000"}

WRONG: dict[str, tuple[dict[str, Any], tuple[str, ...], str | None]] = {
    "no provider": ({"provider": ...}, ("provider",), "This field is required."),
    "unknown provider": (
        {"provider": "paypal"},
        ("provider",),
        "Provider must be one of: mpesa, stripe, visa, chapa, paystack, pesapal, cpay, auto",
    ),
    "provider number": ({"provider": 5}, ("provider",), None),
    "no amount": ({"amount": ...}, ("amount",), "This field is required."),
    "zero": ({"amount": 0}, ("amount",), "Amount must be greater than 0"),
    "zero text": ({"amount": "0.00"}, ("amount",), "Amount must be greater than 0"),
    "negative": ({"amount": -5}, ("amount",), "Amount must be greater than 0"),
    "amount null": ({"amount": None}, ("amount",), "This field may not be null."),
    "amount true": ({"amount": True}, ("amount",), None),
    "amount list": ({"amount": [1]}, ("amount",), None),
    "amount words": ({"amount": "ten"}, ("amount",), None),
    "amount NaN": ({"amount": "NaN"}, ("amount",), None),
    "amount exponent": ({"amount": "1e3"}, ("amount",), None),
    "amount full width": ({"amount": "１０"}, ("amount",), None),
    "three decimals": ({"amount": 10.005}, ("amount",), None),
    "too large": ({"amount": 10**16}, ("amount",), None),
    "long text": ({"amount": "9" * 5000}, ("amount",), None),
    "decimals of a currency without": ({"amount": "10.50", "currency": "UGX"}, ("amount",), None),
    "no currency": ({"currency": ...}, ("currency",), "This field is required."),
    "unknown currency": ({"currency": "XXQ"}, ("currency",), None),
    "currency number": ({"currency": 404}, ("currency",), None),
    "no customer": ({"customer": ...}, ("customer",), "This field is required."),
    "customer null": ({"customer": None}, ("customer",), "This field may not be null."),
    "customer text": ({"customer": "John"}, ("customer",), None),
    "phone null": ({"customer": {"phone": None}}, ("customer", "phone"), "This field may not be null."),
    "phone words": ({"customer": {"phone": "call me"}}, ("customer", "phone"), None),
    "phone number": ({"customer": {"phone": 254700000000}}, ("customer", "phone"), None),
    "phone too short": ({"customer": {"phone": "123"}}, ("customer", "phone"), None),
    "phone too long": ({"customer": {"phone": "+2547000000000000000"}}, ("customer", "phone"), None),
    "phone of no country": ({"customer": {"phone": "+999123456"}}, ("customer", "phone"), None),
    "national phone, dollars": (
        {"currency": "USD", "customer": {"phone": "0700000000"}},
        ("customer", "phone"),
        None,
    ),
    "e-mail": ({"customer": CUSTOMER | {"email": "nobody"}}, ("customer", "email"), None),
    "e-mail null": ({"customer": CUSTOMER | {"email": None}}, ("customer", "email"), None),
    "name control": ({"customer": CUSTOMER | {"name": "a\x07"}}, ("customer", "name"), None),
    "customer unknown field": ({"customer": CUSTOMER | {"vip": True}}, ("customer", "vip"), None),
    "metadata list": ({"metadata": []}, ("metadata",), None),
    "metadata huge": ({"metadata": {"a": "x" * 20_000}}, ("metadata",), None),
    "return_url script": ({"return_url": "javascript:alert(1)"}, ("return_url",), None),
    "return_url relative": ({"return_url": "/done"}, ("return_url",), None),
    "return_url scheme-relative": ({"return_url": "//example.com/done"}, ("return_url",), None),
    "return_url credentials": ({"return_url": "https://a:b@example.com"}, ("return_url",), None),
    "return_url backslash": ({"return_url": "https://example.com\\.evil.test/"}, ("return_url",), None),
    "return_url port": ({"return_url": "https://example.com:99999/"}, ("return_url",), None),
    "return_url brackets": ({"return_url": "https://[::1"}, ("return_url",), None),
    "return_url long": ({"return_url": "https://example.com/" + "x" * 2000}, ("return_url",), None),
    "description long": ({"description": "x" * 201}, ("description",), "This is longer than 200 characters."),
    "description blank": ({"description": " "}, ("description",), "This may not be empty."),
    "description null": ({"description": None}, ("description",), "This field may not be null."),
    "reference long": ({"reference": "x" * 101}, ("reference",), "This is longer than 100 characters."),
    "reference empty": ({"reference": ""}, ("reference",), "This may not be empty."),
    "reference invisible": (
        {"reference": "ORD\u200b1"},
        ("reference",),
        "This holds a character that cannot be printed.",
    ),
    "reference number": ({"reference": 77}, ("reference",), "This must be a string."),
    "unknown field": ({"status": "completed"}, ("status",), "This field is not known here."),
    "tenant": ({"tenant_id": "x"}, ("tenant_id",), None),
}


@pytest.mark.parametrize("name", WRONG)
def test_invalid_payment_requests(
    merchant: MerchantClient, rows: Callable[..., list[Any]], name: str
) -> None:
    differing, path, message = WRONG[name]
    answer = merchant.initialize(**differing)
    body = answer.json
    assert answer.status_code == 400, answer.data
    assert set(body) == {"success", "error", "details"}
    assert (body["success"], body["error"]) == (False, "Validation error")
    details = body["details"]
    for word in path:
        details = details[word]
    found = details if isinstance(details, list) else details["_schema"]
    assert message is None or found == [message]
    assert rows("SELECT id FROM payments WHERE tenant_id = :id", id=merchant.tenant_id) == []


def test_all_validation_errors_are_reported_together(merchant: MerchantClient) -> None:
    details = merchant.initialize(amount=0, provider="x", customer={"phone": ""}, colour="red").json[
        "details"
    ]
    assert set(details) == {"amount", "provider", "customer", "colour"}
    concurrently = merchant.initialize(amount="1.001", customer={"phone": "12"}).json["details"]
    assert set(concurrently) == {"amount", "customer"}


@pytest.mark.parametrize(
    ("phone", "currency", "kept"),
    [
        ("+254700000000", "KES", "+254700000000"),
        ("254712345678", "KES", "+254712345678"),
        ("0712345678", "KES", "+254712345678"),
        ("0712 345-678", "KES", "+254712345678"),
        ("0911121314", "ETB", "+251911121314"),
        ("08012345678", "NGN", "+2348012345678"),
        ("+14155550100", "USD", "+14155550100"),
        ("+1 415 555 0100", "KES", "+14155550100"),
    ],
)
def test_phones_are_kept_in_one_spelling(
    merchant: MerchantClient, phone: str, currency: str, kept: str
) -> None:
    data = merchant.paid(currency=currency, customer={"phone": phone})
    assert data["customer"]["phone"] == kept


@pytest.mark.parametrize("provider", ["mpesa", "pesapal"])
def test_a_phone_that_the_provider_needs_is_asked_for_by_name(
    merchant: MerchantClient, rows: Callable[..., list[Any]], provider: str
) -> None:
    answer = merchant.initialize(provider=provider, customer={"name": "John Doe"})
    assert (answer.status_code, answer.json["error"]) == (400, "Validation error")
    (sentence,) = answer.json["details"]["customer"]["phone"]
    assert "needs the customer's phone" in sentence
    assert rows("SELECT id FROM payments WHERE tenant_id = :id", id=merchant.tenant_id) == []


def test_what_is_lacking_for_every_provider_is_asked_for(
    merchant: MerchantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The merchant has M-Pesa alone, and lets the gateway choose."""
    available = routing.provider_accounts.available
    monkeypatch.setattr(
        routing.provider_accounts,
        "available",
        lambda *args: {name: bound for name, bound in available(*args).items() if name == "mpesa"},
    )
    answer = merchant.initialize(provider="auto", customer={})
    sentence = "No configured provider takes 1000.00 KES. M-Pesa needs the customer's phone."
    assert answer.status_code == 400
    assert answer.json["details"] == {"customer": {"phone": [sentence]}}


def test_a_provider_that_needs_no_phone_is_paid_without_one(merchant: MerchantClient) -> None:
    assert merchant.paid(customer={})["customer"] == dict.fromkeys(("id", "phone", "email", "name"))


@pytest.mark.parametrize(
    "url", ["https://shop.example.com/done?order=1", "http://localhost:3000/", "http://127.0.0.1/x"]
)
def test_return_addresses(merchant: MerchantClient, url: str) -> None:
    assert merchant.initialize(return_url=url).status_code == 201


def test_blank_texts_count_as_missing(merchant: MerchantClient) -> None:
    data = merchant.paid(customer=CUSTOMER | {"id": "", "name": ""})
    assert (data["customer"]["id"], data["customer"]["name"]) == (None, None)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'{"amount":1,"amount":2}', b'{"amount":NaN}', b"\xff"])
def test_body_must_be_an_object(merchant: MerchantClient, raw: bytes) -> None:
    headers = merchant.headers | {"Idempotency-Key": "raw"}
    answer = merchant.client.post(INITIALIZE, data=raw, headers=headers, content_type="application/json")
    assert answer.status_code == 400 and answer.json["success"] is False and answer.json["error"]


def test_another_content_type(merchant: MerchantClient) -> None:
    answer = merchant.client.post(
        INITIALIZE, data=request_body(customer=""), headers=merchant.headers | {"Idempotency-Key": "f"}
    )
    assert answer.status_code == 415 and answer.json["success"] is False


REFUNDS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "zero": ({"amount": 0}, "amount", "Refund amount must be greater than 0"),
    "negative": ({"amount": "-1.00"}, "amount", "Refund amount must be greater than 0"),
    "null": ({"amount": None}, "amount", "This field may not be null."),
    "true": ({"amount": True}, "amount", None),
    "reason number": ({"reason": 7}, "reason", None),
    "reason long": ({"reason": "x" * 300}, "reason", None),
    "unknown field": ({"to": "me"}, "to", "This field is not known here."),
}


@pytest.mark.parametrize("name", REFUNDS)
def test_invalid_refunds(merchant: MerchantClient, name: str) -> None:
    body, field, message = REFUNDS[name]
    payment = merchant.paid()
    answer = merchant.refund(payment["id"], **body)
    assert answer.status_code == 400 and answer.json["error"] == "Validation error"
    assert field in answer.json["details"] and message in (None, *answer.json["details"][field])
    assert merchant.get(f"/{payment['id']}").json["data"]["status"] == "completed"


def test_more_decimals_than_the_currency_has_is_no_refund(merchant: MerchantClient) -> None:
    answer = merchant.refund(merchant.paid()["id"], amount="1.001")
    assert answer.status_code == 400 and answer.json["success"] is False

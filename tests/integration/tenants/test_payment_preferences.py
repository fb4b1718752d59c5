"""Payment preferences and saved methods of customers: document 002's six endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.services.customers import methods
from app.services.provider_access import accounts as provider_accounts
from tests.support.concurrency import concurrently
from tests.support.customers import CARD, MPESA, PHONE, CustomerClient

PROVIDERS = ["mpesa", "paystack", "pesapal", "stripe"]


def refused(answer: Any, message: str) -> None:
    assert (answer.status_code, answer.json["error"]) == (400, message)


def test_a_new_customer_prefers_nothing(customer: CustomerClient) -> None:
    assert customer.preferences() == {
        "preferred_provider": None,
        "saved_methods": [],
        "available_providers": PROVIDERS,
    }


def test_the_documents_requests(customer: CustomerClient) -> None:
    """All six, each under the other prefix in turn."""
    saved = customer.call("POST", "/payment-methods", prefix="/v1", json=MPESA | {"set_as_default": True})
    assert saved.status_code == 201
    assert saved.json["message"] == "Payment method saved successfully"
    (method,) = saved.json["preferences"]["saved_methods"]
    assert method.pop("saved_at").endswith("Z")
    assert method == {
        "id": f"mpesa_{PHONE}",
        "provider": "mpesa",
        "details": {"phone_number": PHONE},
        "is_default": True,
    }
    assert saved.json["preferences"] == customer.preferences()
    assert customer.preferences()["preferred_provider"] == "mpesa"
    chosen = customer.call("PUT", "/preferred-provider", prefix="/v1", json={"provider": "stripe"})
    assert chosen.json["message"] == "Preferred provider updated successfully"
    assert chosen.json["preferences"]["preferred_provider"] == "stripe"
    customer.save(CARD)
    changed = customer.call("PUT", "/payment-methods/paystack_AUTH_1a2b3c4d5e/default")
    assert changed.json["message"] == "Default payment method updated successfully"
    assert customer.defaults() == ["paystack_AUTH_1a2b3c4d5e"]
    removed = customer.call("DELETE", "/payment-methods/paystack_AUTH_1a2b3c4d5e", prefix="/v1")
    assert removed.json["message"] == "Payment method removed successfully"
    assert customer.defaults() == [f"mpesa_{PHONE}"]


def test_ids_of_methods(customer: CustomerClient) -> None:
    customer.save({"provider": "pesapal", "details": {"payment_method": "card", "last4": "1234"}})
    customer.save({"provider": "pesapal", "details": {"payment_method": "card"}})
    customer.save({"provider": "stripe", "details": {"payment_method_id": "pm_xxx", "brand": "visa"}})
    ids = [method["id"] for method in customer.preferences()["saved_methods"]]
    assert ids == ["pesapal_card_1234", "pesapal_card", "stripe_pm_xxx"]


def test_saving_a_method_again_replaces_it(customer: CustomerClient) -> None:
    customer.save(CARD)
    again = customer.save(CARD | {"details": {**CARD["details"], "bank": "GTB"}})
    (method,) = again.json["preferences"]["saved_methods"]
    assert method["details"]["bank"] == "GTB"
    assert method["is_default"]


@pytest.mark.parametrize("spelling", ["+254712345678", "0712345678", "254 712-345-678"])
def test_phone_numbers_have_one_spelling(customer: CustomerClient, spelling: str) -> None:
    saved = customer.save({"provider": "mpesa", "details": {"phone_number": spelling}})
    assert saved.json["preferences"]["saved_methods"][0]["details"] == {"phone_number": PHONE}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "provider is required"),
        ({"provider": None}, "provider is required"),
        ({"provider": "bank"}, f"Invalid provider: bank. Must be one of {PROVIDERS}"),
        ({"provider": "mpesa"}, "M-Pesa method requires phone_number"),
        ({"provider": "mpesa", "details": {"phone_number": ""}}, "M-Pesa method requires phone_number"),
        (
            {"provider": "paystack", "details": {"last4": "1234"}},
            "Paystack method requires authorization_code",
        ),
        ({"provider": "pesapal", "details": {}}, "Pesapal method requires payment_method"),
        ({"provider": "stripe", "details": {}}, "Stripe method requires payment_method_id"),
        (MPESA | {"details": {"phone_number": PHONE, "pin": "1234"}}, "M-Pesa method has no pin"),
        (CARD | {"details": {"authorization_code": "AUTH_1", "last4": "12"}}, "last4 must be four digits"),
        (CARD | {"details": {"authorization_code": 7}}, "authorization_code is not written as it should be"),
        (
            {"provider": "pesapal", "details": {"payment_method": "a/b"}},
            "payment_method is not written as it should be",
        ),
        (
            CARD | {"details": {"authorization_code": "A" * 129}},
            "authorization_code is longer than 128 characters",
        ),
        (
            {"provider": "mpesa", "details": {"phone_number": "+12025550123"}},
            "phone_number must be a Kenyan mobile number: 2547… or 2541…",
        ),
    ],
)
def test_methods_that_are_refused_change_nothing(
    customer: CustomerClient, body: dict[str, Any], message: str
) -> None:
    refused(customer.call("POST", "/payment-methods", json=body), message)
    assert customer.preferences()["saved_methods"] == []


def test_card_numbers_are_refused(customer: CustomerClient) -> None:
    body = {"provider": "pesapal", "details": {"payment_method": "4111 1111 1111 1111"}}
    assert customer.call("POST", "/payment-methods", json=body).status_code == 400
    assert customer.preferences()["saved_methods"] == []


def test_a_customer_has_a_limited_number_of_methods(
    customer: CustomerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert methods.MAX_METHODS == 20
    monkeypatch.setattr(methods, "MAX_METHODS", 3)
    for number in range(3):
        body = {"provider": "mpesa", "details": {"phone_number": f"2547123456{number:02}"}}
        assert customer.save(body).status_code == 201
    refused(customer.save(CARD), "A customer can have at most 3 payment methods")
    assert customer.save(MPESA | {"details": {"phone_number": "254712345600"}}).status_code == 201


def test_set_as_default_makes_it_the_only_one(customer: CustomerClient) -> None:
    customer.save(MPESA)
    customer.save(CARD)
    assert customer.defaults() == [f"mpesa_{PHONE}"]
    customer.save(CARD, set_as_default=True)
    assert customer.defaults() == ["paystack_AUTH_1a2b3c4d5e"]
    customer.save(CARD, set_as_default=False)
    assert customer.defaults() == ["paystack_AUTH_1a2b3c4d5e"]


@pytest.mark.parametrize("is_default", [False, True])
def test_two_saves_at_once_leave_one_default(app: Flask, customer: CustomerClient, is_default: bool) -> None:
    def save(number: int) -> int:
        one = CustomerClient(app.test_client(), customer.merchant, customer.id)
        body = {"provider": "mpesa", "details": {"phone_number": f"25471234560{number}"}}
        status: int = one.save(body, set_as_default=is_default).status_code
        return status

    assert concurrently(6, save) == [201] * 6
    assert len(customer.preferences()["saved_methods"]) == 6
    assert len(customer.defaults()) == 1


def test_the_same_method_saved_at_once_is_one(app: Flask, customer: CustomerClient) -> None:
    def save(number: int) -> int:
        status: int = (
            CustomerClient(app.test_client(), customer.merchant, customer.id).save(MPESA).status_code
        )
        return status

    assert concurrently(4, save) == [201] * 4
    assert len(customer.preferences()["saved_methods"]) == 1


def test_unknown_methods(customer: CustomerClient) -> None:
    message = "Payment method mpesa_1 not found"
    refused(customer.call("DELETE", "/payment-methods/mpesa_1"), message)
    refused(customer.call("PUT", "/payment-methods/mpesa_1/default"), message)
    for unprintable in ("%00", "a%00b", "%ED%A0%80"):
        answer = customer.call("DELETE", f"/payment-methods/{unprintable}")
        assert answer.status_code == 400 and answer.json["error"].endswith("not found")


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (None, "provider is required"),
        ("", "provider is required"),
        ("cpay", f"Invalid provider: cpay. Must be one of {PROVIDERS}"),
    ],
)
def test_preferred_providers_that_are_refused(
    customer: CustomerClient, provider: str | None, message: str
) -> None:
    refused(customer.call("PUT", "/preferred-provider", json={"provider": provider}), message)
    refused(customer.call("PUT", "/preferred-provider"), "provider is required")
    assert customer.preferences()["preferred_provider"] is None


def test_providers_that_the_tenant_has_not_configured(
    customer: CustomerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = provider_accounts.available

    def without_stripe(*given: Any) -> Any:
        return {name: bound for name, bound in found(*given).items() if name != "stripe"}

    monkeypatch.setattr(provider_accounts, "available", without_stripe)
    message = "Provider stripe is not configured for this tenant"
    refused(customer.call("PUT", "/preferred-provider", json={"provider": "stripe"}), message)
    refused(customer.save({"provider": "stripe", "details": {"payment_method_id": "pm_1"}}), message)
    assert customer.preferences()["available_providers"] == PROVIDERS[:3]


def test_checkout_options(customer: CustomerClient) -> None:
    customer.save(MPESA)
    answer = customer.options("1000")
    (method,) = customer.preferences()["saved_methods"]
    assert answer.json == {
        "preferred_provider": "mpesa",
        "preferred_method": method,
        "available_providers": PROVIDERS,
        "saved_methods": [method],
        "can_change_provider": True,
        "amount": 1000.0,
        "currency": "KES",
    }
    assert b'"amount":1000.0,' in answer.data


def test_checkout_offers_only_what_can_take_the_amount(customer: CustomerClient) -> None:
    customer.save(MPESA)
    in_cents = customer.options("10.50").json
    assert "mpesa" not in in_cents["available_providers"]
    assert in_cents["preferred_provider"] is in_cents["preferred_method"] is None
    assert in_cents["saved_methods"] == []
    in_dollars = customer.options("10", currency="usd").json
    assert (in_dollars["currency"], in_dollars["preferred_method"]) == ("USD", None)
    assert "mpesa" not in in_dollars["available_providers"]


def test_the_preferred_method_is_of_the_preferred_provider(customer: CustomerClient) -> None:
    customer.save(MPESA)
    customer.save(CARD)
    customer.call("PUT", "/preferred-provider", json={"provider": "paystack"})
    assert customer.options("10").json["preferred_method"]["provider"] == "paystack"
    customer.call("PUT", "/preferred-provider", json={"provider": "stripe"})
    chosen = customer.options("10").json
    assert (chosen["preferred_provider"], chosen["preferred_method"]) == ("stripe", None)


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("0", "Amount must be greater than 0"),
        ("-5", "Amount must be greater than 0"),
        ("", "Invalid amount parameter"),
        ("ten", "Invalid amount parameter"),
        ("NaN", "Invalid amount parameter"),
        ("1e3", "Invalid amount parameter"),
        ("1.005", "Invalid amount parameter"),
    ],
)
def test_amounts_that_are_refused(customer: CustomerClient, amount: str, message: str) -> None:
    refused(customer.options(amount), message)
    refused(customer.call("GET", "/checkout-options"), "Invalid amount parameter")

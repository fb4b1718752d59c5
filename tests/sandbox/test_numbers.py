"""No number in a request is a 500 of a simulator, or keeps it busy: it answers as its provider does to a bad body."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.sandbox.app import create_app
from app.sandbox.core import SandboxSettings
from tests.support.hostile_numbers import LIMIT_S, NUMBERS, seconds

BODIES = (
    "#",
    "[#]",
    '{"amount":#}',
    '{"id":#}',
    '{"rules":[{"fault":"delay","seconds":#}]}',
    '{"advance_s":#}',
    '{"Amount":#,"ShortCode":#,"BusinessShortCode":#,"OffSetValue":#,"Msisdn":#}',
    '{"ShortCode":"174379","Amount":#}',
    '{"tx_ref":"t#","amount":#,"currency":"ETB","meta":{"n":#}}',
    '{"transfers":[{"amount":#,"reference":#}]}',
    '{"account_number":#,"amount":#,"bank_code":#,"reference":#}',
    '{"bulk_data":[{"amount":#,"bank_code":#}]}',
    '{"account_number":"1","amount":"5","bank_code":#,"account_name":"A"}',
    '{"account_number":"1","amount":"5","bank_code":"#","account_name":"A","reference":"r"}',
    '{"transaction":#,"amount":#}',
    '{"email":"a@example.com","amount":#}',
    '{"email":"a@example.com","amount":"100","metadata":{"n":#}}',
    '{"email":"a@example.com","amount":"100","metadata":"{\\"n\\":#}"}',
    '{"transfer_code":#,"otp":#}',
    '{"type":"nuban","name":"A","account_number":#,"bank_code":#,"currency":"NGN"}',
    '{"confirmation_code":#,"amount":#,"username":"u","remarks":"r"}',
    '{"id":"x","amount":#,"currency":"KES","description":"d","billing_address":{"phone_number":#}}',
)
"""Sent to every route. `#`: the number."""

JSON_NUMBERS = (
    "two million digits",
    "tiny",
    "400 digits",
    "exponent of 19 digits",
    "5,000 digits",
    "5,000 decimals",
    "20 digits",
    "100 digits",
    "NaN",
)
"""Nine, so that over the routes each of the 22 bodies gets each of them."""

JSON_ROUTES = (
    "/sandbox/control",
    "/mpesa/",
    "/chapa/v1/",
    "/paystack/transaction",
    "/paystack/transfer",
    "/paystack/refund",
    "/pesapal/api/",
)

DIGITS = (
    "9" * 19,
    "9" * 4000,
    "9" * 5000,
    "1e1999999",
    "1e9999999999999999999",
    "NaN",
    "Infinity",
    "-Infinity",
    "²",
)
FIELDS = (
    "amount",
    "line_items[0][quantity]",
    "line_items[0][price_data][unit_amount]",
    "limit",
    "page",
    "perPage",
    "within",
    "pin",
    "card_number",
    "bank_code",
)


@dataclass(frozen=True)
class Route:
    method: str
    rule: str
    headers: dict[str, str]

    def path(self, named: str) -> str:
        return re.sub(r"<[^>]*>", named, self.rule)


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """In this process; nothing is paid or sent in the background."""
    folder = tmp_path_factory.mktemp("simulators")
    settings = SandboxSettings(None, "http://127.0.0.1:4010", "http://127.0.0.1:9/hooks", folder)
    app, sandbox = create_app(settings)
    yield app
    sandbox.close()


@pytest.fixture
def client(simulators: Flask) -> FlaskClient:
    return simulators.test_client()


@pytest.fixture
def routes(simulators: Flask, client: FlaskClient) -> list[Route]:
    """Every route, with a merchant's credentials."""
    basic = base64.b64encode(b"sandbox-consumer-key:sandbox-consumer-secret").decode()
    mpesa = client.get(
        "/mpesa/oauth/v1/generate?grant_type=client_credentials", headers={"Authorization": f"Basic {basic}"}
    )
    login = {
        "consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW",
        "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs=",
    }
    pesapal = client.post("/pesapal/api/Auth/RequestToken", json=login)
    keys = {
        "mpesa": mpesa.get_json()["access_token"],
        "pesapal": pesapal.get_json()["token"],
        "stripe": "sk_test_sandbox",
        "chapa": "CHASECK_TEST-sandbox",
        "paystack": "sk_test_sandbox_paystack",
    }
    found = []
    for rule in simulators.url_map.iter_rules():
        key = keys.get(rule.rule.split("/")[1])
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        found += [
            Route(method, rule.rule, headers) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        ]
    return sorted(found, key=lambda route: (route.rule.endswith("/reset"), route.rule, route.method))


def _must_be_quick_and_no_fault(call: Any, about: object) -> None:
    took, answer = seconds(call)
    assert answer.status_code < 500, (about, answer.status_code, answer.data[:300])
    assert took < LIMIT_S, (about, f"{took:.3f} s")


def test_in_bodies(client: FlaskClient, routes: list[Route]) -> None:
    """Every body on every route, the numbers in turn."""
    takes_json = [route for route in routes if route.method != "GET" and route.rule.startswith(JSON_ROUTES)]
    assert len(takes_json) > 25
    numbers = cycle(JSON_NUMBERS)
    for route in takes_json:
        call = partial(client.open, route.path("1"), method=route.method, headers=route.headers)
        for body in BODIES:
            name = next(numbers)
            raw = body.replace("#", NUMBERS[name])
            _must_be_quick_and_no_fault(
                partial(call, data=raw, content_type="application/json"), (route.rule, body, name)
            )


@pytest.mark.parametrize("digits", DIGITS, ids=lambda digits: digits[:20])
def test_in_paths_queries_and_forms(client: FlaskClient, routes: list[Route], digits: str) -> None:
    fields = dict.fromkeys(FIELDS, digits)
    for route in routes:
        call = partial(client.open, method=route.method, headers=route.headers)
        named = partial(call, route.path(digits), query_string=fields)
        _must_be_quick_and_no_fault(named, (route.method, route.rule, "path and query"))
        if route.method != "GET":
            form = partial(call, route.path("1"), data=fields)
            _must_be_quick_and_no_fault(form, (route.method, route.rule, "form"))


def test_what_is_refused_is_refused_in_the_providers_words(client: FlaskClient, routes: list[Route]) -> None:
    def answer(rule: str, body: str) -> Any:
        route = next(route for route in routes if route.rule == rule and route.method == "POST")
        return client.post(rule, data=body, content_type="application/json", headers=route.headers)

    number = NUMBERS["two million digits"]
    mpesa = answer("/mpesa/mpesa/stkpush/v1/processrequest", f'{{"Amount":{number}}}')
    assert mpesa.status_code == 400 and mpesa.get_json()["errorCode"] == "400.002.05"
    pesapal = answer("/pesapal/api/Transactions/SubmitOrderRequest", f'{{"amount":{number}}}')
    assert pesapal.get_json()["error"]["code"] == "invalid_request"
    chapa = answer("/chapa/v1/transaction/initialize", f'{{"amount":{number}}}')
    assert chapa.status_code == 400 and "validation.required" in str(chapa.get_json()["message"])
    paystack = answer("/paystack/transaction/initialize", f'{{"email":"a@example.com","amount":{number}}}')
    assert paystack.status_code == 400 and paystack.get_json()["status"] is False

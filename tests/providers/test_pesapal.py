"""Pesapal without Pesapal: orders, logins, and the address of notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.money import Money
from app.providers.base import (
    Customer,
    RefundRequest,
    State,
)
from app.providers.errors import (
    AuthFailed,
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from app.providers.pesapal import PesapalProvider
from app.providers.pesapal.adapter import notification_url
from app.providers.pesapal.client import token_life_s
from tests.support.canned import CUT, HANGS, LOST, Canned, CannedServer
from tests.support.pesapal_answers import (
    CHARGE_REFERENCE,
    IPN,
    KES_100,
    KEYS,
    NO_ERROR,
    ORDER,
    PAID,
    REFERENCE,
    REQUEST,
    STATUS,
    TOKEN,
    TRACKING,
    refusal,
)
from tests.support.providers import MemoryTokens, make_provider


@pytest.fixture(scope="module")
def pesapal_server() -> Iterator[CannedServer]:
    with CannedServer() as server:
        yield server


@pytest.fixture
def provider(pesapal_server: CannedServer) -> PesapalProvider:
    pesapal_server.will()
    return make_provider(PesapalProvider, pesapal_server.url, ipn_id="ipn-set", **KEYS)


def sent(server: CannedServer, at: int = -1) -> dict[str, Any]:
    return json.loads(server.received[at].body)


# --- charges


def test_an_order(provider: PesapalProvider, pesapal_server: CannedServer) -> None:
    pesapal_server.will(TOKEN, Canned(body=ORDER))
    result = provider.charge(REQUEST)
    assert (result.state, result.provider_reference) == (State.PENDING, TRACKING)
    assert (result.payment_url, result.receipt) == ("https://pay.pesapal.com/x", None)
    assert pesapal_server.paths() == ["/api/Auth/RequestToken", "/api/Transactions/SubmitOrderRequest"]
    assert sent(pesapal_server, 0) == {"consumer_key": "key-1", "consumer_secret": "secret-1"}
    assert pesapal_server.received[1].headers["authorization"] == "Bearer token-1"
    assert sent(pesapal_server) == {
        "id": REFERENCE,
        "currency": "KES",
        "amount": 100.5,
        "description": "Two chairs",
        "callback_url": REQUEST.return_url,
        "cancellation_url": REQUEST.return_url,
        "notification_id": "ipn-set",
        "billing_address": {
            "email_address": "ann@example.com",
            "phone_number": "254712345678",
            "first_name": "Ann",
            "last_name": "Wanjiru Kamau",
        },
    }


def test_amounts_are_exact_and_texts_are_cut(provider: PesapalProvider, pesapal_server: CannedServer) -> None:
    pesapal_server.will(TOKEN, *[Canned(body=ORDER)] * 3)
    for amount, text in (
        (Money(1, "KES"), b"0.01"),
        (Money(123_456_789_012_345, "TZS"), b"1234567890123.45"),
        (Money(5000, "UGX"), b"5000"),
    ):
        provider.charge(
            replace(REQUEST, amount=amount, description="x" * 200, customer=Customer(email="a@b.co"))
        )
        assert b'"amount":' + text + b"," in pesapal_server.received[-1].body
    assert len(sent(pesapal_server)["description"]) == 100
    assert sent(pesapal_server)["billing_address"] == {"email_address": "a@b.co"}


def test_a_method_of_notifications_that_pesapal_lacks_is_a_configuration_error() -> None:
    with pytest.raises(ValueError, match="ipn_method"):
        make_provider(PesapalProvider, ipn_method="PUT", **KEYS)
    make_provider(PesapalProvider, ipn_method="get", **KEYS)


def test_customer_needs_an_address(provider: PesapalProvider) -> None:
    with pytest.raises(RequestRejected):
        provider.check(KES_100, Customer(name="Ann"))
    with pytest.raises(RequestRejected):
        provider.check(Money(100, "EUR"), Customer(email="a@b.co"))
    provider.check(KES_100, Customer(phone="+254712345678"))
    provider.check(KES_100, Customer(email="a@b.co"))


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        (Canned(body=refusal("invalid_currency", "Bad.")), RequestRejected, "invalid_currency"),
        (Canned(400, refusal("missing_fields", "Bad.", "400")), RequestRejected, "missing_fields"),
        (Canned(body=refusal("duplicate_id", "", "409")), DuplicateReference, "duplicate_id"),
        (Canned(body=refusal(None, "", "409") | {"error": None}), DuplicateReference, "duplicate"),
        (Canned(body=refusal("duplicate_order")), DuplicateReference, "duplicate_order"),
        (Canned(429, {"status": "429"}), RateLimited, "rate_limited"),
        (Canned(429, {"status": "429"}, {"Retry-After": "9" * 5000}), RateLimited, "rate_limited"),
        (Canned(body={"status": "429"}), RateLimited, "rate_limited"),
        (Canned(body={"status": "500", "error": NO_ERROR, "message": "Sorry"}), OutcomeUnknown, "unknown"),
        (Canned(body=refusal("internal_server_error")), OutcomeUnknown, "internal_server_error"),
        (Canned(500, refusal("invalid_currency")), OutcomeUnknown, "http_500"),
        (Canned(503, "<html>busy</html>"), OutcomeUnknown, "http_503"),
        (Canned(404, ORDER), OutcomeUnknown, "http_404"),
        (Canned(404, "<html>lost</html>"), OutcomeUnknown, "http_404"),
        (Canned(302, "", {"Location": "/elsewhere"}), OutcomeUnknown, "http_302"),
        (Canned(200, "not json"), OutcomeUnknown, "http_200"),
        (Canned(200, "[]"), OutcomeUnknown, "http_200"),
        (Canned(body={**ORDER, "order_tracking_id": None}), OutcomeUnknown, "unknown"),
        (Canned(body={**ORDER, "redirect_url": ""}), OutcomeUnknown, "unknown"),
        (Canned(body={**ORDER, "redirect_url": "javascript:alert(1)"}), OutcomeUnknown, "unknown"),
        (Canned(body={**ORDER, "merchant_reference": "another"}), OutcomeUnknown, "merchant_reference"),
        (
            Canned(body=refusal("amount_exceeds_default_limit", "Too much.")),
            RequestRejected,
            "amount_exceeds_default_limit",
        ),
        (
            Canned(body=refusal("maximum_amount_limit_exceeded")),
            RequestRejected,
            "maximum_amount_limit_exceeded",
        ),
        (Canned(body=refusal("InvalidIpnId")), RequestRejected, "InvalidIpnId"),
        (LOST, OutcomeUnknown, "unknown"),
        (CUT, OutcomeUnknown, "unknown"),
    ],
)
def test_answers_to_an_order_mean(
    provider: PesapalProvider,
    pesapal_server: CannedServer,
    answer: Canned,
    expected: type[ProviderError],
    code: str,
) -> None:
    pesapal_server.will(TOKEN, answer)
    with pytest.raises(ProviderError) as caught:
        provider.charge(REQUEST)
    assert (type(caught.value), caught.value.code) == (expected, code)
    assert len(pesapal_server.received) == 2, "nothing is sent twice by itself"


def test_lost_answer_is_unknown_and_refused_connection_is_not_sent(pesapal_server: CannedServer) -> None:
    pesapal_server.will(TOKEN, HANGS)
    with pytest.raises(OutcomeUnknown):
        make_provider(PesapalProvider, pesapal_server.url, timeout_s=1.0, ipn_id="i", **KEYS).charge(REQUEST)
    with pytest.raises(NotSent):
        make_provider(PesapalProvider, ipn_id="i", **KEYS).charge(REQUEST)


# --- tokens


def test_a_token_is_shared_and_renewed_once(pesapal_server: CannedServer) -> None:
    tokens = MemoryTokens()
    first, second = (
        make_provider(PesapalProvider, pesapal_server.url, tokens=tokens, **KEYS) for _ in range(2)
    )
    fresh = Canned(body={"token": "token-2", "expiryDate": None, "error": NO_ERROR, "status": "200"})
    pesapal_server.will(
        TOKEN, Canned(body=STATUS), Canned(body=STATUS), Canned(401, ""), fresh, Canned(body=STATUS)
    )
    for provider in (first, second, second):
        assert provider.inquire(CHARGE_REFERENCE).state is State.SUCCEEDED
    assert [r.headers.get("authorization") for r in pesapal_server.received] == [
        None,
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-1",
        None,
        "Bearer token-2",
    ]
    assert tokens.fetched == 2


def test_token_rejected_twice_raises_auth_failed(
    provider: PesapalProvider, pesapal_server: CannedServer
) -> None:
    rejected = Canned(body={"status": "401", "error": {"code": "invalid_token"}})
    pesapal_server.will(TOKEN, rejected, TOKEN, rejected)
    with pytest.raises(AuthFailed):
        provider.charge(REQUEST)
    assert pesapal_server.answers == []


REJECTED = {
    "error_type": "authentication_error",
    "code": "invalid_api_credentials_provided",
    "message": "Invalid Access Token",
}


@pytest.mark.parametrize(
    "rejection",
    [
        Canned(401, ""),
        Canned(401, {"error": REJECTED, "status": "401"}),
        Canned(body={"error": REJECTED}),
        Canned(500, {"error": REJECTED}),
        Canned(body={"error": REJECTED, "status": "500"}),
        Canned(body={"error": {**REJECTED, "code": None}, "status": "500"}),
        Canned(body={"error": {"code": "invalid_token"}, "status": "500"}),
    ],
)
def test_a_rejected_token_is_known_however_it_is_said(
    provider: PesapalProvider, pesapal_server: CannedServer, rejection: Canned
) -> None:
    fresh = Canned(body={**TOKEN.body, "token": "token-2"})
    pesapal_server.will(TOKEN, rejection, fresh, Canned(body=ORDER))
    assert provider.charge(REQUEST).state is State.PENDING
    assert pesapal_server.received[-1].headers["authorization"] == "Bearer token-2"


def test_other_keys_or_another_place_need_a_token_of_their_own(pesapal_server: CannedServer) -> None:
    tokens = MemoryTokens()
    other = {**KEYS, "consumer_key": "key-2"}
    pesapal_server.will(TOKEN, IPN, Canned(body=ORDER), TOKEN, IPN, Canned(body=ORDER))
    for keys in (KEYS, other):
        make_provider(PesapalProvider, pesapal_server.url, tokens=tokens, **keys).charge(REQUEST)
    assert sent(pesapal_server, 3)["consumer_key"] == "key-2"
    with CannedServer() as other_server:
        other_server.will(TOKEN, IPN, Canned(body=ORDER))
        make_provider(PesapalProvider, other_server.url, tokens=tokens, **KEYS).charge(REQUEST)
        assert len(other_server.received) == 3


def test_blank_words_are_not_sent(provider: PesapalProvider, pesapal_server: CannedServer) -> None:
    pesapal_server.will(TOKEN, Canned(body=ORDER), Canned(body={"status": "200"}))
    provider.charge(replace(REQUEST, description="  "))
    assert sent(pesapal_server)["description"] == "Payment"
    provider.refund(RefundRequest("r-1", KES_100, PAID, " ", "http://x"))
    assert sent(pesapal_server)["remarks"] == "Refund"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Canned(body=refusal("invalid_consumer_key_or_secret_provided")), AuthFailed),
        (Canned(body=refusal("consumer_key_unknown")), AuthFailed),
        (Canned(500, {"error": REJECTED}), AuthFailed),
        (Canned(401, ""), AuthFailed),
        (Canned(500, ""), NotSent),
        (Canned(body=refusal("internal_server_error")), NotSent),
        (Canned(body={"status": "200", "token": None}), NotSent),
        (Canned(429, ""), RateLimited),
        (LOST, NotSent),
    ],
)
def test_a_failed_login_leaves_nothing_unknown(
    provider: PesapalProvider, pesapal_server: CannedServer, answer: Canned, expected: type[ProviderError]
) -> None:
    pesapal_server.will(answer)
    with pytest.raises(ProviderError) as caught:
        provider.charge(REQUEST)
    assert type(caught.value) is expected
    assert "secret-1" not in str(caught.value) + repr(caught.value.response)


@pytest.mark.parametrize(
    ("expiry", "life"),
    [
        ("2026-01-01T00:04:00.5177702Z", 240),
        ("2026-01-01T00:04:00", 240),
        ("2026-01-01T03:02:00+03:00", 120),
        ("2026-01-01T09:00:00Z", 300),
        ("2025-12-31T23:00:00Z", 300),
        ("soon", 300),
        (None, 300),
    ],
)
def test_token_lives(expiry: object, life: int) -> None:
    assert token_life_s(expiry, datetime(2026, 1, 1, tzinfo=UTC)) == life


# --- addresses of notifications


def test_the_address_is_registered_once_for_all_orders(pesapal_server: CannedServer) -> None:
    tokens = MemoryTokens()
    provider = make_provider(PesapalProvider, pesapal_server.url, tokens=tokens, ipn_method="get", **KEYS)
    pesapal_server.will(TOKEN, IPN, Canned(body=ORDER), Canned(body=ORDER))
    provider.charge(REQUEST)
    assert sent(pesapal_server, 1) == {
        "url": "http://127.0.0.1:5000/api/v1/webhooks/pesapal",
        "ipn_notification_type": "GET",
    }
    provider.charge(
        replace(REQUEST, callback_url=REQUEST.callback_url.replace("secret-token", "other-token"))
    )
    assert sent(pesapal_server)["notification_id"] == "ipn-1"
    assert len(pesapal_server.received) == 4


def test_a_forgotten_address_is_registered_again(pesapal_server: CannedServer) -> None:
    provider = make_provider(PesapalProvider, pesapal_server.url, **KEYS)
    unknown = Canned(body=refusal("invalid_ipn_id", "notification_id is not registered"))
    again = Canned(body={**IPN.body, "ipn_id": "ipn-2"})
    pesapal_server.will(TOKEN, IPN, unknown, again, Canned(body=ORDER))
    assert provider.charge(REQUEST).state is State.PENDING
    assert sent(pesapal_server)["notification_id"] == "ipn-2"
    pesapal_server.will(unknown, again, unknown)
    with pytest.raises(RequestRejected):
        provider.charge(REQUEST)


@pytest.mark.parametrize(
    "answer", [LOST, Canned(500, ""), Canned(body=refusal("bad_url")), Canned(body={"status": "200"})]
)
def test_without_an_address_nothing_is_ordered(pesapal_server: CannedServer, answer: Canned) -> None:
    provider = make_provider(PesapalProvider, pesapal_server.url, **KEYS)
    pesapal_server.will(TOKEN, answer)
    with pytest.raises(NotSent):
        provider.charge(REQUEST)


@pytest.mark.parametrize(
    ("callback", "address"),
    [
        (
            "https://pay.example.com/api/v1/webhooks/pesapal/tok?x=1",
            "https://pay.example.com/api/v1/webhooks/pesapal",
        ),
        (
            "https://pay.example.com/pesapal-gw/webhooks/pesapal/tok",
            "https://pay.example.com/pesapal-gw/webhooks/pesapal",
        ),
        ("https://pay.example.com/webhooks/pesapal", "https://pay.example.com/webhooks/pesapal"),
    ],
)
def test_notification_addresses(callback: str, address: str) -> None:
    assert notification_url(callback) == address

"""Stripe without Stripe: amounts, what is sent, what its errors mean, and what is done when an answer is lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from app.errors import InvalidAmount
from app.money import Money
from app.providers.base import (
    Customer,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from app.providers.stripe import StripeProvider
from tests.support.canned import CUT, HANGS, LOST, Canned, CannedServer
from tests.support.providers import make_provider
from tests.support.stripe_objects import (
    CHARGE_REFERENCE,
    INTENT,
    KEYS,
    REFERENCE,
    REFUND,
    REQUEST,
    SESSION,
    USD_10,
)


@pytest.fixture(scope="module")
def stripe_server() -> Iterator[CannedServer]:
    with CannedServer() as server:
        yield server


@pytest.fixture
def provider(stripe_server: CannedServer) -> StripeProvider:
    stripe_server.will()
    return make_provider(StripeProvider, stripe_server.url, **KEYS)


def form(server: CannedServer, at: int = -1) -> dict[str, str]:
    return dict(parse_qsl(server.received[at].body.decode()))


def test_what_could_not_be_charged_is_refused_before(provider: StripeProvider) -> None:
    with pytest.raises(RequestRejected):
        provider.check(Money(1234, "KWD"), Customer())
    with pytest.raises(InvalidAmount):
        provider.check(Money(1_000_000, "UGX"), Customer())
    provider.check(Money(999_999, "UGX"), Customer())


# --- what goes out


def test_a_hosted_charge_is_a_checkout_session(provider: StripeProvider, stripe_server: CannedServer) -> None:
    stripe_server.will(Canned(body=SESSION))
    result = provider.charge(REQUEST)
    assert (result.state, result.provider_reference, result.receipt) == (State.PENDING, "cs_test_1", None)
    assert result.payment_url == SESSION["url"] and result.amount == USD_10
    (sent,) = stripe_server.received
    assert (sent.method, sent.path) == ("POST", "/v1/checkout/sessions")
    assert sent.headers["idempotency-key"] == REFERENCE
    assert sent.headers["authorization"] == "Bearer sk_test_sandbox"
    assert "telemetry_id" not in sent.headers["x-stripe-client-user-agent"]
    assert form(stripe_server) == {
        "mode": "payment",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "1000",
        "line_items[0][price_data][product_data][name]": "Two chairs",
        "success_url": REQUEST.return_url,
        "cancel_url": REQUEST.return_url,
        "client_reference_id": REFERENCE,
        "metadata[reference]": REFERENCE,
        "metadata[label]": "AB12CD34EF56",
        "metadata[flow]": "hosted",
        "payment_intent_data[metadata][reference]": REFERENCE,
        "payment_intent_data[metadata][label]": "AB12CD34EF56",
        "payment_intent_data[metadata][flow]": "hosted",
        "customer_email": "ann@example.com",
    }


def test_an_intent_charge_gives_the_client_secret(stripe_server: CannedServer) -> None:
    provider = make_provider(
        StripeProvider, stripe_server.url, flow="intent", api_version="2025-01-01.x", **KEYS
    )
    stripe_server.will(Canned(body=INTENT))
    result = provider.charge(REQUEST)
    assert (result.state, result.provider_reference) == (State.PENDING, "pi_1")
    assert result.response["client_secret"] == "pi_1_secret_abc"
    assert stripe_server.received[0].headers["stripe-version"] == "2025-01-01.x"
    assert "confirm" not in form(stripe_server)
    stripe_server.will(Canned(body=INTENT))
    again = provider.inquire(replace(CHARGE_REFERENCE, provider_reference="pi_1"))
    assert "client_secret" not in again.response


def test_an_intent_with_a_method_is_confirmed_at_once(stripe_server: CannedServer) -> None:
    provider = make_provider(StripeProvider, stripe_server.url, flow="intent", **KEYS)
    paid = {**INTENT, "status": "succeeded", "amount_received": 1000, "latest_charge": "ch_1"}
    stripe_server.will(Canned(body=paid))
    result = provider.charge(replace(REQUEST, metadata={"payment_method": "pm_card_visa"}))
    assert (result.state, result.receipt, result.amount) == (State.SUCCEEDED, "pi_1", USD_10)
    assert "client_secret" not in result.response
    sent = form(stripe_server)
    assert sent["confirm"] == "true" and sent["payment_method"] == "pm_card_visa"
    assert sent["automatic_payment_methods[allow_redirects]"] == "never"
    assert sent["metadata[flow]"] == "confirmed"


def test_a_refund_carries_its_own_key(provider: StripeProvider, stripe_server: CannedServer) -> None:
    stripe_server.will(Canned(body=REFUND))
    paid = replace(CHARGE_REFERENCE, provider_reference="cs_test_1", receipt="pi_1")
    result = provider.refund(RefundRequest("refund-1", Money(400, "USD"), paid, "duplicate", "http://x"))
    assert (result.state, result.provider_reference, result.amount) == (
        State.SUCCEEDED,
        "re_1",
        Money(400, "USD"),
    )
    assert stripe_server.received[0].headers["idempotency-key"] == "refund-1"
    assert form(stripe_server) == {
        "payment_intent": "pi_1",
        "amount": "400",
        "reason": "duplicate",
        "metadata[reference]": "refund-1",
        "metadata[reason]": "duplicate",
    }


# --- what comes back


ERROR_ANSWERS: list[tuple[int, Any, type[ProviderError], str]] = [
    (
        402,
        {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"},
        Declined,
        "insufficient_funds",
    ),
    (402, {"type": "card_error", "code": "expired_card"}, Declined, "expired_card"),
    (400, {"type": "invalid_request_error", "code": "amount_too_small"}, RequestRejected, "amount_too_small"),
    (404, {"type": "invalid_request_error", "code": "resource_missing"}, RequestRejected, "resource_missing"),
    (400, {"type": "idempotency_error"}, DuplicateReference, "idempotency_error"),
    (401, {"type": "invalid_request_error"}, AuthFailed, "invalid_request_error"),
    (403, {"type": "invalid_request_error"}, AuthFailed, "invalid_request_error"),
    (429, {"type": "invalid_request_error", "code": "rate_limit"}, RateLimited, "rate_limit"),
    (
        409,
        {"type": "invalid_request_error", "code": "idempotency_key_in_use"},
        OutcomeUnknown,
        "idempotency_key_in_use",
    ),
    (500, {"type": "api_error"}, OutcomeUnknown, "api_error"),
    (503, {"type": "api_error"}, OutcomeUnknown, "api_error"),
]


@pytest.mark.parametrize(("status", "error", "expected", "code"), ERROR_ANSWERS)
def test_errors_mean(
    provider: StripeProvider,
    stripe_server: CannedServer,
    status: int,
    error: dict[str, Any],
    expected: type[ProviderError],
    code: str,
) -> None:
    stripe_server.will(Canned(status, {"error": {"message": "No, thanks: sk_test_****dbox.", **error}}))
    with pytest.raises(ProviderError) as caught:
        provider.charge(REQUEST)
    assert (type(caught.value), caught.value.code) == (expected, code)
    assert caught.value.response["http_status"] == status
    assert expected is not AuthFailed or "sk_test" not in str(caught.value)
    assert len(stripe_server.received) == 1, "nothing is sent twice by itself"


@pytest.mark.parametrize(
    "answer",
    [
        LOST,
        CUT,
        Canned(200, "not json"),
        Canned(200, "[]"),
        Canned(200, "null"),
        Canned(200, "{}"),
        Canned(200, {**SESSION, "status": "dreaming"}),
        Canned(200, {**SESSION, "url": None}),
        Canned(200, {**SESSION, "amount_total": None}),
        Canned(502, "<html>bad gateway</html>"),
        Canned(404, "<html>not here</html>"),
        Canned(400, {"error": "odd"}),
        Canned(400, {"error": []}),
        Canned(307, "", {"Location": "/elsewhere"}),
        Canned(302, "", {"Location": "http://127.0.0.1:1/"}),
    ],
)
def test_whatever_is_not_clear_is_unknown(
    provider: StripeProvider, stripe_server: CannedServer, answer: Canned
) -> None:
    stripe_server.will(answer, answer)
    with pytest.raises(OutcomeUnknown):
        provider.charge(REQUEST)
    assert len(stripe_server.received) == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("9" * 5000, None), ("²", None), ("-1", None), ("soon", None)]
)
def test_when_to_come_again(
    provider: StripeProvider, stripe_server: CannedServer, text: str, seconds: int | None
) -> None:
    """A number of 5,000 digits is more than int() reads."""
    error = {"error": {"type": "invalid_request_error", "code": "rate_limit"}}
    stripe_server.will(Canned(429, error, {"Retry-After": text.encode().decode("latin-1")}))
    with pytest.raises(RateLimited) as caught:
        provider.charge(REQUEST)
    assert caught.value.retry_after_s == seconds


def test_lost_answer_is_unknown_and_refused_connection_is_not_sent(stripe_server: CannedServer) -> None:
    stripe_server.will(HANGS)
    with pytest.raises(OutcomeUnknown):
        make_provider(StripeProvider, stripe_server.url, timeout_s=0.3, **KEYS).charge(REQUEST)
    with pytest.raises(NotSent):
        make_provider(StripeProvider, **KEYS).charge(REQUEST)


def test_the_log_holds_no_secret(
    stripe_server: CannedServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = make_provider(StripeProvider, stripe_server.url, flow="intent", **KEYS)
    stripe_server.will(Canned(body=INTENT))
    provider.charge(REQUEST)
    output = caplog.text + "".join(capfd.readouterr())
    assert "pi_1_secret" not in output and "sk_test_sandbox" not in output and "ann@example.com" not in output
    assert "sk_test_sandbox" not in repr(provider.account)


# --- asking


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("processing", State.IN_TRANSIT),
        ("succeeded", State.SUCCEEDED),
        ("requires_payment_method", State.FAILED),
        ("canceled", State.CANCELLED),
    ],
)
def test_a_delayed_payment_is_what_its_intent_says(
    provider: StripeProvider, stripe_server: CannedServer, word: str, state: State
) -> None:
    stripe_server.will(
        Canned(body={**SESSION, "status": "complete", "payment_intent": "pi_1"}),
        Canned(body={**INTENT, "status": word, "amount_received": 1000, "metadata": {"flow": "hosted"}}),
    )
    result = provider.inquire(replace(CHARGE_REFERENCE, provider_reference="cs_test_1"))
    assert (result.state, result.provider_reference, result.receipt) == (state, "cs_test_1", "pi_1")


def test_a_lost_session_is_found_by_our_reference(
    provider: StripeProvider, stripe_server: CannedServer
) -> None:
    others = [{**SESSION, "id": f"cs_test_{n}", "metadata": {"reference": f"other-{n}"}} for n in range(2)]
    stripe_server.will(
        Canned(body={"object": "list", "data": others, "has_more": True, "url": "/v1/checkout/sessions"}),
        Canned(body={"object": "list", "data": [SESSION], "has_more": False, "url": "/v1/checkout/sessions"}),
        Canned(body={**SESSION, "status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}),
    )
    result = provider.inquire(CHARGE_REFERENCE)
    assert (result.state, result.receipt, result.amount) == (State.SUCCEEDED, "pi_1", USD_10)
    assert "starting_after=cs_test_1" in stripe_server.received[1].path
    since = int((CHARGE_REFERENCE.sent_at - timedelta(minutes=10)).timestamp())
    assert f"={since}" in stripe_server.received[0].path


@pytest.mark.parametrize("flow", ["hosted", "intent"])
def test_not_found_is_said_only_after_the_whole_list(stripe_server: CannedServer, flow: str) -> None:
    provider = make_provider(StripeProvider, stripe_server.url, flow=flow, **KEYS)
    path = {"hosted": "/v1/checkout/sessions", "intent": "/v1/payment_intents"}[flow]
    stripe_server.will(Canned(body={"object": "list", "data": [], "has_more": False, "url": path}))
    assert provider.inquire(CHARGE_REFERENCE).state is State.NOT_FOUND
    assert stripe_server.paths() == [path]
    endless = Canned(body={"object": "list", "data": [{"id": "cs_x"}], "has_more": True, "url": path})
    stripe_server.will(*[endless] * 20)
    with pytest.raises(OutcomeUnknown):
        provider.inquire(CHARGE_REFERENCE)
    for answer in (Canned(404, {"error": {"type": "invalid_request_error"}}), Canned(200, {"data": 1})):
        stripe_server.will(answer)
        with pytest.raises(OutcomeUnknown):
            provider.inquire(CHARGE_REFERENCE)


def test_an_id_stripe_gave_and_denies_is_unknown(
    provider: StripeProvider, stripe_server: CannedServer
) -> None:
    missing = Canned(404, {"error": {"type": "invalid_request_error", "code": "resource_missing"}})
    for known in ("cs_test_1", "pi_1"):
        stripe_server.will(missing)
        with pytest.raises(OutcomeUnknown):
            provider.inquire(replace(CHARGE_REFERENCE, provider_reference=known))
    stripe_server.will(missing)
    with pytest.raises(OutcomeUnknown):
        provider.inquire_refund(
            RefundReference("refund-1", Money(400, "USD"), CHARGE_REFERENCE, CHARGE_REFERENCE.sent_at, "re_1")
        )


def test_a_lost_refund_is_found_among_its_payments(
    provider: StripeProvider, stripe_server: CannedServer
) -> None:
    paid = replace(CHARGE_REFERENCE, provider_reference="cs_test_1", receipt="pi_1")
    asked = RefundReference("refund-1", Money(400, "USD"), paid, CHARGE_REFERENCE.sent_at)
    other = {**REFUND, "id": "re_0", "metadata": {"reference": "refund-0"}}
    for data, state in (([other, REFUND], State.SUCCEEDED), ([other], State.NOT_FOUND)):
        stripe_server.will(
            Canned(body={"object": "list", "data": data, "has_more": False, "url": "/v1/refunds"})
        )
        assert provider.inquire_refund(asked).state is state
    assert "payment_intent=pi_1" in stripe_server.received[0].path


def test_a_refund_whose_payment_cannot_be_learnt_was_not_sent(
    provider: StripeProvider, stripe_server: CannedServer
) -> None:
    request = RefundRequest(
        "refund-1",
        Money(400, "USD"),
        replace(CHARGE_REFERENCE, provider_reference="cs_test_1"),
        "Broken",
        "http://x",
    )
    stripe_server.will(LOST)
    with pytest.raises(NotSent):
        provider.refund(request)
    stripe_server.will(Canned(body=SESSION))
    with pytest.raises(RequestRejected):
        provider.refund(request)
    assert stripe_server.paths() == ["/v1/checkout/sessions/cs_test_1"]

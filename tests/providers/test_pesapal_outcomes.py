"""How Pesapal's outcomes are learnt: statuses, refunds, notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.money import Money
from app.providers import PROVIDERS
from app.providers.base import (
    Callback,
    Kind,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.errors import (
    Declined,
    InvalidCallback,
    NotSent,
    OutcomeUnknown,
    RequestRejected,
)
from app.providers.pesapal import PesapalProvider, statuses
from tests.support.canned import CUT, LOST, Canned, CannedServer
from tests.support.pesapal_answers import (
    CHARGE_REFERENCE,
    KES_100,
    KEYS,
    PAID,
    REFERENCE,
    STATUS,
    TOKEN,
    TRACKING,
    refusal,
)
from tests.support.providers import make_provider


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


# --- asking


def test_the_status_table_is_pesapals() -> None:
    assert {code: state.value for code, state in statuses.STATES.items()} == {
        "0": "pending",
        "1": "succeeded",
        "2": "pending",
        "3": "refunded",
    }


@pytest.mark.parametrize(
    ("code", "state", "receipt"),
    [
        (0, State.PENDING, None),
        (1, State.SUCCEEDED, "6513008693186320103009"),
        (2, State.PENDING, None),
        (3, State.REFUNDED, "6513008693186320103009"),
        ("1", State.SUCCEEDED, "6513008693186320103009"),
    ],
)
def test_statuses(
    provider: PesapalProvider, pesapal_server: CannedServer, code: object, state: State, receipt: str | None
) -> None:
    pesapal_server.will(TOKEN, Canned(body={**STATUS, "status_code": code}))
    result = provider.inquire(CHARGE_REFERENCE)
    assert (result.state, result.receipt, result.amount) == (state, receipt, KES_100)
    assert (
        pesapal_server.received[-1].path
        == f"/api/Transactions/GetTransactionStatus?orderTrackingId={TRACKING}"
    )
    assert result.has_failed_try == (result.code is not None) == (code == 2)
    headers = pesapal_server.received[-1].headers
    assert (headers["accept"], headers["content-type"]) == ("application/json", "application/json")
    assert result.response["payment_account"] == "…0010"
    json.dumps(dict(result.response))


def test_a_paid_order_in_another_currency_is_reported_as_it_was_answered(
    provider: PesapalProvider, pesapal_server: CannedServer
) -> None:
    """1000 TZS were asked for. Breaks when the number is taken for shillings, or the answer is not believed."""
    pesapal_server.will(TOKEN, Canned(body={**STATUS, "amount": 0.4, "currency": "USD"}))
    result = provider.inquire(replace(CHARGE_REFERENCE, amount=Money.parse("1000", "TZS")))
    assert (result.state, result.amount) == (State.SUCCEEDED, Money(40, "USD"))
    assert (result.response["amount"], result.response["currency"]) == ("0.4", "USD")


@pytest.mark.parametrize(
    "body",
    [
        refusal("payment_details_not_found", "Pending Payment"),
        refusal(None, "Pending Payment"),
        refusal("payment_details_not_found"),
    ],
)
def test_not_paid_yet_is_pending(provider: PesapalProvider, pesapal_server: CannedServer, body: Any) -> None:
    pesapal_server.will(TOKEN, Canned(body=body))
    assert provider.inquire(CHARGE_REFERENCE).state is State.PENDING


@pytest.mark.parametrize(
    "answer",
    [
        Canned(body={**STATUS, "status_code": 9}),
        Canned(body={**STATUS, "status_code": None}),
        Canned(body={**STATUS, "status_code": True}),
        Canned(body={**STATUS, "merchant_reference": "other"}),
        Canned(body={**STATUS, "amount": None}),
        Canned(body={**STATUS, "currency": "???"}),
        Canned(body={**STATUS, "amount": 100.505}),
        Canned(body=refusal("invalid_tracking_id")),
        Canned(500, STATUS),
        Canned(200, "nonsense"),
        LOST,
        CUT,
    ],
)
def test_whatever_is_not_clear_is_unknown(
    provider: PesapalProvider, pesapal_server: CannedServer, answer: Canned
) -> None:
    pesapal_server.will(TOKEN, answer)
    with pytest.raises(OutcomeUnknown):
        provider.inquire(CHARGE_REFERENCE)


def test_without_its_id_nothing_can_be_asked(provider: PesapalProvider, pesapal_server: CannedServer) -> None:
    lost = replace(CHARGE_REFERENCE, provider_reference=None)
    for ask in (provider.inquire, provider.cancel):
        with pytest.raises(OutcomeUnknown):
            ask(lost)
    assert pesapal_server.received == []


# --- cancelling and refunding


def test_cancelling(provider: PesapalProvider, pesapal_server: CannedServer) -> None:
    pesapal_server.will(TOKEN, Canned(body={"status": "200", "message": "Order successfully cancelled."}))
    assert provider.cancel(CHARGE_REFERENCE).state is State.CANCELLED
    assert sent(pesapal_server) == {"order_tracking_id": TRACKING}
    pesapal_server.will(Canned(body={"status": "500", "message": "Too late."}), Canned(body=STATUS))
    assert provider.cancel(CHARGE_REFERENCE).state is State.SUCCEEDED


def test_a_refund_is_asked_for_by_receipt(provider: PesapalProvider, pesapal_server: CannedServer) -> None:
    request = RefundRequest("refund-1", Money(5000, "KES"), PAID, "Broken", "http://x")
    pesapal_server.will(TOKEN, Canned(body={"status": "200", "message": "Refund request successfully"}))
    result = provider.refund(request)
    assert (result.state, result.provider_reference) == (State.PENDING, PAID.receipt)
    assert sent(pesapal_server) == {
        "confirmation_code": PAID.receipt,
        "amount": 50,
        "username": "gateway",
        "remarks": "Broken",
    }
    pesapal_server.will(Canned(body={"status": "500", "message": "Invalid amount provided"}))
    with pytest.raises(Declined, match="Invalid amount"):
        provider.refund(request)
    unclear = (
        {"status": "500", "message": "Refund request has been received already"},
        {"status": "500"},
        {"status": "500", "message": "An error occurred while processing your request"},
        {"status": "500", "message": "Words of no recorded refusal"},
        {"message": "Invalid amount provided"},
        {"answer": "of another shape"},
        refusal("a_new_code", "Named, but in no form that refuses.", "odd"),
        refusal("internal_server_error"),
    )
    for answer in (LOST, Canned(500, ""), *(Canned(body=body) for body in unclear)):
        pesapal_server.will(answer)
        with pytest.raises(OutcomeUnknown):
            provider.refund(request)


def test_a_refund_learns_its_receipt_first(provider: PesapalProvider, pesapal_server: CannedServer) -> None:
    request = RefundRequest("refund-1", KES_100, CHARGE_REFERENCE, "Broken", "http://x")
    pesapal_server.will(TOKEN, Canned(body=STATUS), Canned(body={"status": "200"}))
    assert provider.refund(request).state is State.PENDING
    pesapal_server.will(LOST)
    with pytest.raises(NotSent):
        provider.refund(request)
    pesapal_server.will(Canned(body={**STATUS, "status_code": 0}))
    with pytest.raises(RequestRejected):
        provider.refund(request)


@pytest.mark.parametrize(
    ("known", "code", "expected"),
    [
        ("r", 3, State.SUCCEEDED),
        (None, 3, State.SUCCEEDED),
        ("r", 1, State.PENDING),
        (None, 1, OutcomeUnknown),
    ],
)
def test_refunds_are_shown_only_once_made(
    provider: PesapalProvider, pesapal_server: CannedServer, known: str | None, code: int, expected: Any
) -> None:
    asked = RefundReference("refund-1", KES_100, PAID, CHARGE_REFERENCE.sent_at, known)
    pesapal_server.will(TOKEN, Canned(body={**STATUS, "status_code": code}))
    if isinstance(expected, State):
        assert provider.inquire_refund(asked).state is expected
    else:
        with pytest.raises(expected):
            provider.inquire_refund(asked)


# --- notifications

FIELDS = {
    "OrderTrackingId": TRACKING,
    "OrderMerchantReference": REFERENCE,
    "OrderNotificationType": "IPNCHANGE",
}


@pytest.mark.parametrize(
    "callback",
    [
        Callback("GET", {}, FIELDS, b""),
        Callback("POST", {"content-type": "text/plain"}, {}, json.dumps(FIELDS).encode()),
        Callback("POST", {}, {}, json.dumps({k[0].lower() + k[1:]: v for k, v in FIELDS.items()}).encode()),
    ],
)
def test_notifications(provider: PesapalProvider, callback: Callback) -> None:
    event = provider.read_callback(callback)
    assert (event.kind, event.reference, event.provider_reference) == (Kind.PAYMENT, REFERENCE, TRACKING)
    assert (event.event_id, event.is_verified, event.reported) == (f"{TRACKING}:IPNCHANGE", False, None)
    answer = provider.acknowledge(event)
    assert (answer.status, answer.body) == (
        200,
        {
            "orderNotificationType": "IPNCHANGE",
            "orderTrackingId": TRACKING,
            "orderMerchantReference": REFERENCE,
            "status": 200,
        },
    )


def test_odd_notifications(provider: PesapalProvider) -> None:
    other = provider.read_callback(Callback("GET", {}, {**FIELDS, "OrderNotificationType": "RECURRING"}, b""))
    assert other.kind is Kind.OTHER
    bare = provider.read_callback(Callback("GET", {}, {"OrderTrackingId": TRACKING}, b""))
    assert (bare.kind, bare.reference, bare.event_type) == (Kind.PAYMENT, None, "IPNCHANGE")
    for query, body in (
        ({}, b""),
        ({}, b"{"),
        ({}, b"[]"),
        ({}, b"null"),
        ({}, b"{}"),
        ({}, b"\xff"),
        ({}, b"[" * 100_000),
        ({"OrderTrackingId": ""}, b""),
        ({"OrderTrackingId": "x" * 65}, b""),
        ({"OrderTrackingId": "a b"}, b""),
        ({}, b'{"OrderTrackingId":7}'),
        ({"OrderTrackingId": "a\n"}, b""),
    ):
        with pytest.raises(InvalidCallback):
            provider.read_callback(Callback("POST", {}, query, body))


def test_pesapal_is_registered() -> None:
    assert PROVIDERS["pesapal"] is PesapalProvider
    assert not PesapalProvider.capabilities.signs_callbacks

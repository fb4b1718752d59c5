"""Whatever is sent, the answer is no 500, and what was refused has changed nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.gateway import CURRENCIES, CUSTOMER, HTTP_PROVIDERS, ONE_OF_A_KIND, Gateway

LONG = "x" * 300
ODD_TEXTS = (
    "",
    " ",
    LONG,
    "\u202e\u200f",
    "𝕏" * 60,
    "\U0010ffff",
    "a\tb",
    "null",
    "<script>%00{0}' OR 1=1 --",
)
ODD_NUMBERS = (
    "0",
    "-1",
    "1e400",
    "1e-400",
    "0.001",
    "1.0000",
    "99999999999999999999",
    "1e15",
    "123456789012345678.12",
    "true",
    '"1e5"',
    '"1_0"',
    '"１０"',
    '" 10"',
    '"+10"',
    '"0x10"',
    '"Infinity"',
    '""',
    "null",
    "[]",
    "{}",
)


@pytest.fixture(autouse=True)
def _settled(gateway: Gateway) -> Iterator[None]:
    """What was paid is posted before the next test checks the ledger."""
    yield
    gateway.quiet()
    while gateway.run_due():
        gateway.quiet()


def _raw(gateway: Gateway, path: str, body: str, *, key: str | None = None) -> requests.Response:
    headers = gateway.headers | {
        "Content-Type": "application/json",
        "Idempotency-Key": key or str(uuid.uuid4()),
    }
    return gateway.http.post(f"{gateway.url}{path}", data=body.encode(), headers=headers, timeout=60)


def _count(gateway: Gateway) -> int:
    return int(gateway.rows("SELECT count(*) FROM payments")[0][0])


def _order(provider: str, **more: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "amount": 100,
        "currency": CURRENCIES[provider],
        "customer": CUSTOMER,
        **more,
    }


def _is_told(gateway: Gateway, answer: requests.Response, before: int, what: object) -> None:
    """Refused with nothing stored, or one payment that says how it ended."""
    assert answer.status_code in (201, 400, 402, 413, 415, 422), (what, answer.status_code, answer.text[:300])
    stored = _count(gateway) - before
    assert stored == (0 if answer.status_code in (400, 413, 415, 422) else 1), (what, answer.text[:300])


@pytest.mark.parametrize("provider", ["mpesa", "cpay"])
def test_unusual_amounts(gateway: Gateway, provider: str) -> None:
    for number in ODD_NUMBERS:
        before = _count(gateway)
        body = json.dumps(_order(provider)).replace('"amount": 100', f'"amount": {number}')
        _is_told(gateway, _raw(gateway, "/payments/initialize", body), before, number)
    assert gateway.get("/payments").status_code == 200


def test_unusual_texts(gateway: Gateway) -> None:
    """In each field by itself."""
    for odd in ODD_TEXTS:
        for more in (
            {"customer": CUSTOMER | {"name": odd}},
            {"customer": CUSTOMER | {"id": odd}},
            {"customer": CUSTOMER | {"email": odd}},
            {"metadata": {odd: odd}},
            {"return_url": f"https://shop.example/{odd}"},
        ):
            before = _count(gateway)
            _is_told(
                gateway,
                _raw(gateway, "/payments/initialize", json.dumps(_order("cpay", **more))),
                before,
                more,
            )
    assert gateway.get("/payments?per_page=100").status_code == 200


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_unusual_texts_reach_the_provider(gateway: Gateway, provider: str) -> None:
    """Whatever a merchant may write; in all fields at once."""
    for odd in ODD_TEXTS:
        before = _count(gateway)
        metadata = {"order_id": odd, "payment_method": odd}
        body = json.dumps(_order(provider, customer=CUSTOMER | {"name": odd}, metadata=metadata))
        _is_told(gateway, _raw(gateway, "/payments/initialize", body), before, odd)


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_an_order_id_of_any_shape(gateway: Gateway, provider: str) -> None:
    """It becomes the description on the page. A merchant's text must not make a payment fail."""
    for order_id in ({"a": {"b": ["c"]}}, "x" * 10_000):
        answer = gateway.initialize(provider, 100, metadata={"order_id": order_id})
        assert answer.status_code == 201, answer.text[:300]


def test_unusual_numbers_in_metadata_are_preserved(gateway: Gateway) -> None:
    for number in (
        "1e300",
        "-1e-300",
        "9223372036854775807",
        "9223372036854775808",
        "0.1",
        "1e18",
        "1E+2",
        "-0",
    ):
        before = _count(gateway)
        body = json.dumps(_order("cpay", metadata={"n": 77})).replace("77", number)
        answer = _raw(gateway, "/payments/initialize", body)
        _is_told(gateway, answer, before, number)
        if answer.status_code == 201:
            payment_id = answer.json()["data"]["id"]
            assert gateway.payment(payment_id)["metadata"].keys() == {"n"}
            assert gateway.post(f"/payments/{payment_id}/verify").status_code == 200
    assert gateway.get("/payments").status_code == 200


@pytest.mark.parametrize("word", [LONG, "a\tb", "é", "", "\x7f"])
def test_unusual_idempotency_keys(gateway: Gateway, word: str) -> None:
    before = _count(gateway)
    headers = gateway.headers | {"Idempotency-Key": word.encode("utf-8")}
    url = f"{gateway.url}/payments/initialize"
    answer = gateway.http.post(url, json=_order("cpay"), headers=headers, timeout=60)
    assert answer.status_code == 400, answer.text
    assert _count(gateway) == before


def test_unusual_list_queries(gateway: Gateway) -> None:
    for query in (
        "cursor=x",
        "cursor=" + "0" * 32,
        "cursor={" + "f" * 32 + "}",
        "cursor=urn:uuid:" + "f" * 32,
        f"cursor={'１' * 32}",
        f"provider={LONG}",
        "provider=VISA",
        "status=%00",
        "status=nothing",
        f"customer_id={LONG}",
        "page=0",
        "page=-1",
        "page=1&offset=1",
        "page=99999999999",
        "offset=100000000",
        "limit=1e3",
        "page=1&page=2",
        "per_page=",
        "cursor=",
        "customer_id=%F0%9F%98%80",
        "customer_id=%ff",
    ):
        assert gateway.get(f"/payments?{query}").status_code in (200, 400), query
    for word in ("x", "0" * 36, str(uuid.UUID(int=0)).upper(), "%00", "pmt_" + "0" * 32, LONG):
        for path in ("", "/verify", "/cancel", "/refund", "/refunds"):
            is_read = path in ("", "/refunds")
            answer = (
                gateway.get(f"/payments/{word}{path}")
                if is_read
                else gateway.post(f"/payments/{word}{path}", {}, key=str(uuid.uuid4()))
            )
            assert 400 <= answer.status_code < 500, (word, path, answer.status_code)


def test_unusual_refunds(gateway: Gateway) -> None:
    payment_id = gateway.begin("stripe", 100)
    gateway.settle(payment_id)
    for number in ODD_NUMBERS:
        answer = _raw(gateway, f"/payments/{payment_id}/refund", f'{{"amount": {number}}}')
        is_good = number == "1.0000"
        assert answer.status_code == (200 if is_good else 400), (number, answer.status_code, answer.text)
    for odd in ODD_TEXTS:
        answer = _raw(gateway, f"/payments/{payment_id}/refund", json.dumps({"amount": 1, "reason": odd}))
        assert answer.status_code in (200, 400), (odd, answer.status_code, answer.text)
    gateway.settle(payment_id, until=(), hours=1)
    gateway.assert_ledger_matches_providers()

"""Genuine callbacks with one thing changed, signed where the provider signs: none is answered with a 500, none is slow, and
whatever they say, the payment ends as the provider's own book says."""

from __future__ import annotations

import random
import time
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.faults.payments.deliveries import SECRETS, Delivery, latest, signature
from tests.support.gateway import HTTP_PROVIDERS, Gateway
from tests.support.mutation import LONG, NO_MESSAGES, mutated_json, mutated_query

VARIANTS: Final = 40
"""Of each genuine callback."""

MOST_S: Final = 0.1
"""Processor time of one request, seconds."""

TRIES: Final = 3
"""The interpreter may collect garbage during one of them."""

REFUNDS: Final = ("mpesa", "stripe", "chapa", "paystack")
"""Providers that report refunds by callback."""


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_payment(gateway: Gateway, provider: str) -> None:
    _lose_callbacks(gateway)
    payment_id = gateway.begin(provider)
    gateway.quiet()
    genuine = latest(gateway, provider)
    _send_variants(gateway, provider, genuine)
    assert genuine.send().status_code == 200
    assert gateway.settle(payment_id)["status"] == "completed"
    _assert_as_the_provider_says(gateway)


@pytest.mark.parametrize("provider", REFUNDS)
def test_refund(gateway: Gateway, provider: str) -> None:
    payment_id = gateway.begin(provider)
    assert gateway.settle(payment_id)["status"] == "completed"
    _lose_callbacks(gateway)
    assert gateway.refund(payment_id).status_code == 200
    gateway.quiet()
    genuine = latest(gateway, provider)
    _send_variants(gateway, provider, genuine)
    assert genuine.send().status_code == 200
    gateway.settle(payment_id, until=("refunded",))
    _assert_as_the_provider_says(gateway)
    assert gateway.payment(payment_id)["status"] == "refunded"


@pytest.mark.parametrize("provider", ["visa", "mpesa", "pesapal"])
def test_addresses_that_name_nothing(gateway: Gateway, provider: str) -> None:
    for path in (
        "",
        f"/{'x' * 32}",
        f"/{LONG}",
        "?notice=%F0",
        "?OrderTrackingId=%00",
        "?trx_ref=%ff&status=%00",
    ):
        _send(gateway, provider, Delivery(f"{gateway.url}/webhooks/{provider}{path}", body=b"{}"))
        _send(gateway, provider, Delivery(f"{gateway.url}/webhooks/{provider}{path}", "GET"))


def _lose_callbacks(gateway: Gateway) -> None:
    """From now on the test delivers them."""
    gateway.sandbox.control({"rules": [{"fault": "callback_lost"}]})


def _send_variants(gateway: Gateway, provider: str, genuine: Delivery) -> None:
    rng = random.Random(provider)
    url, _, query = genuine.url.partition("?")
    if genuine.body:
        for body in (*mutated_json(genuine.body, VARIANTS, rng), *NO_MESSAGES):
            _send(gateway, provider, Delivery(genuine.url, genuine.method, body, genuine.headers))
    else:
        for other in mutated_query(query, VARIANTS, rng):
            _send(gateway, provider, Delivery(f"{url}?{other}", genuine.method))


def _send(gateway: Gateway, provider: str, delivery: Delivery) -> None:
    """To the application in this thread, whose processor time is counted."""
    headers = dict(delivery.headers)
    if provider in SECRETS:
        headers |= signature(provider, delivery.body, SECRETS[provider])
    parts = urlsplit(delivery.url)
    client = gateway.app.test_client()
    took_s = MOST_S
    for _ in range(TRIES):
        began = time.thread_time()
        answer = client.open(
            parts.path, query_string=parts.query, method=delivery.method, data=delivery.body, headers=headers
        )
        took_s = time.thread_time() - began
        assert answer.status_code < 500, (delivery, answer.text[:200])
        if took_s < MOST_S:
            return
    raise AssertionError((delivery, took_s))


def _assert_as_the_provider_says(gateway: Gateway) -> None:
    gateway.quiet()
    while gateway.run_due():
        gateway.quiet()
    failed = "SELECT kind, ref, last_error FROM jobs WHERE last_error IS NOT NULL"
    assert gateway.rows(failed) == []
    gateway.assert_ledger_matches_providers()

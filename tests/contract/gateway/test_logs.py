"""What operators read in the logs, in the processes as they really run: each step of a payment, and no secret."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
import requests

from tests.support.stack import Stack
from tests.support.waiting import wait_until

SECRETS = (
    "sandbox-consumer-secret",
    "bfb279f9aa9bdbcf158e97dd71a467cd",
    "Sandbox#2026",
    "+254711223344",
    "2547112233",
)
"""Of the demo's M-Pesa account and of the customer."""


def initialize(stack: Stack, **differing: Any) -> dict[str, Any]:
    request_body = {
        "provider": "mpesa",
        "amount": 1000,
        "currency": "KES",
        "customer": {"phone": "+254711223344"},
        **differing,
    }
    answer = requests.post(
        f"{stack.url}/api/v1/payments/initialize",
        json=request_body,
        headers={"Idempotency-Key": uuid.uuid4().hex},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def lines(stack: Stack, process: str, *words: str) -> list[str]:
    """The process's lines that hold all of these words."""
    text = stack.log(process).read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_each_step_of_a_payment_names_it(merchant: Stack) -> None:
    payment = initialize(merchant)["id"]
    asked = lines(merchant, "web", "payment.initiated", payment)
    assert len(asked) == 1
    request = re.search(r"request_id=(req_\w+)", asked[0])
    assert request is not None
    assert lines(merchant, "web", "provider.called", "operation=charge", request[1])
    assert lines(merchant, "web", "payment.processing", payment, request[1])
    wait_until(
        lambda: lines(merchant, "worker", "payment.completed", payment), "the worker's line", every_s=0.2
    )
    ended = lines(merchant, "worker", "payment.completed", payment)[0]
    job = re.search(r"ref=([0-9a-f-]{36})", ended)
    assert job is not None and "job=" in ended
    # What the job did on the way is found by the job's `ref`.
    assert lines(merchant, "worker", "provider.called", job[1])
    wait_until(lambda: lines(merchant, "worker", "job.done", job[1]), "the job's end", every_s=0.2)


def test_payment_in_review_is_an_error_in_the_workers_log(merchant: Stack) -> None:
    payment = initialize(merchant, provider="pesapal", amount=7009)["id"]
    found = wait_until(
        lambda: [
            line for name in ("worker", "web") for line in lines(merchant, name, "payment.review", payment)
        ],
        "the line about the review",
        every_s=0.2,
    )
    assert "[error" in found[0] and "review=amount_mismatch" in found[0]


@pytest.mark.parametrize("process", ["web", "worker", "relay"])
def test_logs_contain_no_secrets_and_no_customer_data(merchant: Stack, process: str) -> None:
    payment = initialize(merchant)["id"]
    wait_until(lambda: lines(merchant, "worker", "payment.completed", payment), "the payment", every_s=0.2)
    text = merchant.log(process).read_text(encoding="utf-8", errors="replace")
    for secret in SECRETS:
        assert secret not in text, secret
    # The secret end of the callback's address: 32 letters and digits after the provider.
    assert not re.search(r"/webhooks/mpesa/[A-Za-z0-9_-]{16}", text)

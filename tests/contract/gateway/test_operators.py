"""What an operator does first: start with a mistake in a setting, list what is in review, find a payment at its provider."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
import requests
from flask import Flask

from app import create_app
from app.config.loader import load
from app.config.setting import ConfigError
from tests.support.demo import command, run_command
from tests.support.servers import SECRETS
from tests.support.stack import Stack
from tests.support.waiting import wait_until

SETTINGS = {**SECRETS, "GATEWAY_ENV": "demo", "DATABASE_URL": "postgresql://a:b@127.0.0.1/c"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("STRIPE_ENV", "liev", "expected sandbox or live"),
        ("MPESA_ENV", "production", "expected sandbox or live"),
        ("LOG_LEVEL", "LOUD", "expected DEBUG or INFO or WARNING or ERROR"),
        ("PROVIDER_TIMEOUT_S", "-1", "above zero"),
        ("PROVIDER_TIMEOUT_S", "nan", "above zero"),
        ("PROVIDER_TIMEOUT_S", "soon", ""),
        ("PUBLIC_URL", "pay.example.com", "such as https://pay.example.com"),
        ("PUBLIC_URL", "ftp://pay.example.com", "such as https://pay.example.com"),
        ("PAYSTACK_BASE_URL", "https://", "such as https://pay.example.com"),
        ("ALLOW_TEST_PROVIDERS", "maybe", "expected true or false"),
    ],
)
def test_unusable_setting_is_named_at_startup(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(SETTINGS | {name: value})
    assert str(caught.value).startswith(f"{name} cannot be read: ") and message in str(caught.value)


def test_settings_accept_common_spellings() -> None:
    read = load(
        SETTINGS | {"STRIPE_ENV": "Live", "LOG_LEVEL": "warning", "PUBLIC_URL": "https://pay.example.com/"}
    )
    assert (read["STRIPE_ENV"], read["LOG_LEVEL"]) == ("live", "WARNING")
    assert read["PUBLIC_URL"] == "https://pay.example.com"  # paths are put behind it


def test_a_provider_that_is_half_configured_is_named(
    settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    live = settings | {"GATEWAY_ENV": "production", "STRIPE_API_KEY": "sk_live_1"}
    create_app(live)
    printed = capsys.readouterr()
    (line,) = [line for line in printed.err.splitlines() if "provider.half_configured" in line]
    assert "stripe" in line and "STRIPE_WEBHOOK_SECRET" in line
    assert "sk_live_1" not in printed.err + printed.out
    create_app(live | {"STRIPE_WEBHOOK_SECRET": "whsec_1"})
    assert "half_configured" not in capsys.readouterr().err


def initialize(stack: Stack, **differing: Any) -> str:
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
    found: str = answer.json()["data"]["id"]
    return found


def get(stack: Stack, payment: str) -> dict[str, Any]:
    data: dict[str, Any] = requests.get(f"{stack.url}/api/v1/payments/{payment}", timeout=20).json()["data"]
    return data


def test_payments_in_review_are_listed(merchant: Stack, stack_app: Flask) -> None:
    payment = initialize(merchant, amount="7009", provider="cpay")
    wait_until(lambda: get(merchant, payment)["review"], "the review", every_s=0.2)
    printed = run_command(stack_app, "payments", "in-review")
    (line,) = [line for line in printed.splitlines() if line.startswith(payment)]
    assert line.split("  ") == [
        payment,
        "amount_mismatch",
        "cpay",
        "processing",
        "requested 7009.00 KES",
        "collected 7010.00 KES",
    ]
    metrics = requests.get(f"{merchant.url}/metrics", timeout=20).text
    reported_count = re.search(r"^malipo_payments_waiting (\S+)$", metrics, re.MULTILINE)
    assert reported_count is not None and float(reported_count[1]) == len(printed.splitlines())


def test_payment_detail_shows_provider_references(merchant: Stack, stack_app: Flask) -> None:
    payment = initialize(merchant)
    wait_until(lambda: get(merchant, payment)["status"] == "completed", "the payment", every_s=0.2)
    refund = requests.post(
        f"{merchant.url}/api/v1/payments/{payment}/refund",
        headers={"Idempotency-Key": uuid.uuid4().hex},
        timeout=60,
    )
    assert refund.status_code == 200, refund.text
    (refunded,) = requests.get(f"{merchant.url}/api/v1/payments/{payment}/refunds", timeout=20).json()["data"]
    text = run_command(stack_app, "payments", "show", payment)
    assert text.startswith(f"Payment {payment} of Wabotiq Demo\n")
    assert "Attempt 1 at mpesa (sandbox): succeeded\n" in text and f"Refund {refunded['id']}: " in text
    book = requests.get(f"{merchant.sandbox_url}/sandbox/book/mpesa", timeout=20).json()["entries"]
    short_reference = re.search(r"^  short reference +(\S+)$", text, re.MULTILINE)
    receipt = re.search(r"^  receipt +(\S+)$", text, re.MULTILINE)
    assert short_reference is not None and receipt is not None
    assert [entry["amount"] for entry in book if short_reference[1] in entry.values()][:1] == ["1000.00"]
    assert re.search(
        rf"^  provider's id +{get(merchant, payment)['provider_transaction_id']}$", text, re.MULTILINE
    )
    for hidden in ("+254711223344", "callback", "token"):
        assert hidden not in text


def test_unknown_payment_id_is_reported_in_a_sentence(stack_app: Flask) -> None:
    done = command(stack_app, "payments", "show", str(uuid.uuid4()))
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, "Error: Transaction not found")

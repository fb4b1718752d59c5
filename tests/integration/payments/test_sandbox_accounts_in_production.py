"""In production nothing that moves no real money becomes a balance."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask

from app import create_app
from app.errors import ProviderNotConfigured
from app.models.payment import PaymentAttempt
from app.services.provider_access import accounts as provider_accounts

KEYS = {
    "CPAY_API_KEY": "key-of-cpay",
    "CPAY_API_SECRET": "secret-of-cpay",
    "PAYSTACK_SECRET_KEY": "sk_live_x",
}

SANDBOX = {"PAYSTACK_ENV": "sandbox", "PAYSTACK_SECRET_KEY": "sk_test_x"}


def _app(settings: dict[str, str], **more: str) -> Flask:
    return create_app({**settings, "GATEWAY_ENV": "production", **KEYS, **more})


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, {"paystack"}),
        (SANDBOX, set()),
        (SANDBOX | {"ALLOW_TEST_PROVIDERS": "true"}, {"paystack", "cpay"}),
    ],
)
def test_providers_offered_in_production(
    settings: dict[str, str], more: dict[str, str], names: set[str]
) -> None:
    """Breaks when a sandbox or the mock is offered because its keys are set."""
    with _app(settings, **more).app_context():
        assert set(provider_accounts.available(uuid.uuid4())) == names


def test_sandbox_attempt_is_not_inquired_at_the_live_account(settings: dict[str, str]) -> None:
    """Breaks when only the provider's name decides: the same reference would be charged with real money."""
    attempt = PaymentAttempt(provider="paystack", account_id=None, environment="sandbox")
    with _app(settings).app_context(), pytest.raises(ProviderNotConfigured, match="sandbox"):
        provider_accounts.of_attempt(attempt)

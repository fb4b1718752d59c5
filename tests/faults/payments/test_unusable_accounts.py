"""Accounts that cannot be used: their key is gone, a setting of theirs cannot be read, or they hold test money."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.crypto import Sealer
from app.services.operator import reconciliation
from app.services.provider_access import accounts as provider_accounts
from app.unit_of_work import reading, transaction
from tests.support.gateway import OPERATOR, Gateway
from tests.support.tenants import make_merchant

OWN = {"api_key": "sk_test_sandbox", "webhook_secret": "whsec_of_the_shop"}


def _other_merchant(gateway: Gateway) -> Gateway:
    """The same gateway, as another merchant sees it."""
    created = make_merchant(gateway.app)
    return replace(gateway, tenant_id=created.tenant_id, headers=created.headers)


def _with_own_stripe(gateway: Gateway) -> tuple[Gateway, str]:
    """A merchant with an account of its own at Stripe, and the end of that account's webhook URL."""
    merchant = _other_merchant(gateway)
    with gateway.app.app_context():
        token = provider_accounts.set_account(
            merchant.tenant_id, "stripe", OWN, environment="sandbox", operator=OPERATOR
        )
    return merchant, token


@contextmanager
def _key_gone(gateway: Gateway, merchant: Gateway) -> Iterator[None]:
    """ENCRYPTION_KEY was replaced, and the old key was not kept along with the new one."""
    created = Sealer(Fernet.generate_key().decode())
    with gateway.app.app_context():
        rows = _accounts_of(merchant.tenant_id)
        for row in rows:
            _seal(row.id, created.seal(b"{}", purpose="provider account", row_id=row.id))
    try:
        yield
    finally:
        with gateway.app.app_context():
            for row in rows:
                _seal(row.id, bytes(row.sealed))


def test_an_account_that_cannot_be_opened_is_refused_by_name(gateway: Gateway) -> None:
    """Breaks with a 500, and worse when the platform's account is used instead: the money would be another's."""
    merchant, token = _with_own_stripe(gateway)
    with _key_gone(gateway, merchant):
        answer = merchant.initialize("stripe", 50)
        assert answer.status_code == 400, answer.text
        assert merchant.get("/payments").json()["data"]["items"] == []
        noted = merchant.post(f"/webhooks/stripe/{token}", {"id": "evt_1"})
        assert 400 <= noted.status_code < 500


def test_unusable_account_affects_no_other_account(gateway: Gateway) -> None:
    """Breaks when one unreadable row breaks `auto`, the list of providers, and all reconciliation."""
    merchant, _ = _with_own_stripe(gateway)
    gateway.sandbox.control({"autopay_s": 5_000})
    stuck = merchant.begin("stripe", 50)
    waiting = gateway.begin("paystack", 60)
    with _key_gone(gateway, merchant):
        listed = merchant.get("/payments/providers")
        assert listed.status_code == 200, listed.text
        assert "stripe" not in {row["name"] for row in listed.json()["data"]}
        answer = merchant.initialize("auto", 50, currency="USD")
        assert answer.status_code == 201, answer.text
        assert answer.json()["data"]["provider"] != "stripe"
        gateway.sandbox.control({"autopay_s": 0, "advance_s": 5_001})
        gateway.advanced_s = 5_001
        gateway.quiet()
        with gateway.app.app_context():
            report = reconciliation.reconcile()
        assert report.ledger_findings == []
        assert gateway.payment(waiting)["status"] == "completed"
        assert merchant.payment(stuck)["status"] == "processing"
    assert merchant.settle(stuck)["status"] == "completed"


def _merchant_app(settings: dict[str, str], **more: str) -> Flask:
    return create_app({**settings, **more})


def test_a_setting_that_cannot_be_read_switches_off_that_provider_alone(settings: dict[str, str]) -> None:
    """Breaks when a typo in one provider's setting answers every `auto` payment and every list with 500."""
    app = _merchant_app(settings, MPESA_MAX_AMOUNT="a lot")
    created = make_merchant(app)
    client = app.test_client()
    listed = client.get("/api/v1/payments/providers", headers=created.headers)
    assert listed.status_code == 200
    assert "mpesa" not in {row["name"] for row in listed.json["data"]}
    body = {"provider": "mpesa", "amount": 10, "currency": "KES", "customer": {"phone": "+254700000000"}}
    answer = client.post(
        "/api/v1/payments/initialize", json=body, headers=created.headers | {"Idempotency-Key": "typo"}
    )
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("provider", ["stripe", "cpay"])
def test_auto_never_chooses_a_test_provider_in_production(settings: dict[str, str], provider: str) -> None:
    """Breaks when only a payment by name is stopped: an account stored while test providers were allowed stays."""
    values = (
        OWN
        if provider == "stripe"
        else {"api_key": "key-of-the-merchant", "api_secret": "secret-of-the-merchant"}
    )
    allowing = _merchant_app(settings, GATEWAY_ENV="production", ALLOW_TEST_PROVIDERS="true")
    created = make_merchant(allowing)
    with allowing.app_context():
        provider_accounts.set_account(
            created.tenant_id, provider, values, environment="sandbox", operator=OPERATOR
        )
        assert provider in provider_accounts.available(created.tenant_id)
    strict = _merchant_app(settings, GATEWAY_ENV="production")
    with strict.app_context():
        assert provider_accounts.available(created.tenant_id) == {}


def test_an_unsigned_callback_is_read_with_any_account_that_opens(settings: dict[str, str]) -> None:
    """Breaks when the first tenant's lost key makes the notifications of all tenants unreadable."""
    app = _merchant_app(settings, GATEWAY_ENV="production", ALLOW_TEST_PROVIDERS="true")
    values = {"consumer_key": "key", "consumer_secret": "secret"}
    merchants = [make_merchant(app) for _ in range(2)]
    with app.app_context():
        for created in merchants:
            provider_accounts.set_account(
                created.tenant_id, "pesapal", values, environment="sandbox", operator=OPERATOR
            )
        created = Sealer(Fernet.generate_key().decode())
        (row,) = _accounts_of(merchants[0].tenant_id)
        _seal(row.id, created.seal(b"{}", purpose="provider account", row_id=row.id))
        try:
            body = {
                "OrderTrackingId": "0b5a1c2e-0000-4000-8000-000000000000",
                "OrderNotificationType": "IPNCHANGE",
            }
            answer = app.test_client().post("/api/v1/webhooks/pesapal", json=body)
            assert answer.status_code == 200, answer.text
        finally:
            _seal(row.id, bytes(row.sealed))


def _accounts_of(tenant_id: uuid.UUID) -> list[Any]:
    with reading() as session:
        statement = text("SELECT id, sealed FROM provider_accounts WHERE tenant_id = :id")
        return list(session.execute(statement, {"id": tenant_id}))


def _seal(account_id: uuid.UUID, sealed: bytes) -> None:
    statement = text("UPDATE provider_accounts SET sealed = :sealed WHERE id = :id")
    transaction(lambda s: s.execute(statement, {"sealed": sealed, "id": account_id}))

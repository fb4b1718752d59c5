"""The demo's merchant, as the documents' commands expect it; resetting brings it back and keeps the platform's fees."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

from flask import Flask

from app import ledger
from app.ledger.chart import balances
from app.models import Tenant, User
from app.services.demo import load as demo_data
from app.services.demo.objects import API_KEY, TENANT_ID
from app.services.tenants import api_keys, fees, key_changes, tenants
from app.services.tenants.fees import Match
from app.unit_of_work import reading
from tests.integration.tenants.conftest import probed
from tests.support.database import connection, run
from tests.support.tenants import make_merchant


def _balances() -> dict[str, str]:
    return {item.balance.currency: str(item.available) for item in balances(TENANT_ID)}


FIRST_DAY = {"KES": "10000.00", "UGX": "1000"} | dict.fromkeys(
    ("USD", "ETB", "NGN", "GHS", "ZAR", "TZS", "EUR"), "1000.00"
)


def test_the_demo_tenant_is_the_documents(demo_app: Flask) -> None:
    with demo_app.app_context():
        assert demo_data.load() == 0
        assert str(TENANT_ID) == "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11"
        assert api_keys.authenticate(API_KEY)[0] == TENANT_ID
        assert _balances() == FIRST_DAY
        with reading() as session:
            tenant = session.get(Tenant, TENANT_ID)
            assert tenant and (tenant.name, tenant.plan) == ("Wabotiq Demo", "growth")
            operator = session.query(User).filter_by(email="operator@example.com").one()
            assert operator.scopes == ["admin"]
            assert ledger.check(session) == []


def test_reset_restores_the_initial_demo_data(demo_settings: dict[str, str], tmp_path: Path) -> None:
    app = probed(demo_settings)
    with app.app_context():
        demo_data.load()
        platform_rule = fees.set_rule(Match(provider="cpay"), fixed_minor=0, rate_ppm=7)
        own_rule = fees.set_rule(Match(tenant_id=TENANT_ID), fixed_minor=0, rate_ppm=9)
        merchant = make_merchant(app)
        key_changes.revoke_api_key(API_KEY[:16])
        demo_data.reset(app.config["OWNER_DATABASE_URI"], tmp_path)
        assert api_keys.authenticate(API_KEY)[0] == TENANT_ID
        assert _balances() == FIRST_DAY
        kept = {rule.id for rule in fees.rules()}
        assert platform_rule in kept and own_rule not in kept
        assert sum(rule.plan is not None for rule in fees.rules()) == 3
        assert not tenants.is_active(merchant.tenant_id)
        fees.remove_rule(platform_rule)


def test_production_has_no_demo_data(settings: dict[str, str]) -> None:
    app = probed({**settings, "GATEWAY_ENV": "production", "REALTIME": "external"})
    assert app.test_cli_runner().invoke(args=["demo", "load"]).exit_code == 1
    with connection(settings) as opened:
        assert run(opened, "SELECT 1 FROM tenants WHERE id = %s", str(uuid.UUID(str(TENANT_ID)))) == []


def test_the_documents_commands_about_the_demo_customer(demo_app: Flask) -> None:
    """As they are pasted: with the tenant's id and key alone."""
    client, customer = demo_app.test_client(), "/api/v1/customers/123e4567-e89b-12d3-a456-426614174000"
    headers = {"X-TENANT-ID": str(TENANT_ID), "X-TENANT-API-KEY": API_KEY}
    options = client.get(f"{customer}/checkout-options?amount=1000", headers=headers).json
    assert options["preferred_method"]["id"] == "mpesa_254712345678"
    assert options["available_providers"] == ["mpesa", "paystack", "pesapal", "stripe"]
    chosen = client.put(f"{customer}/preferred-provider", headers=headers, json={"provider": "mpesa"})
    assert chosen.status_code == 200
    body = {"provider": "mpesa", "details": {"phone_number": "254712345678"}}
    saved = client.post(f"{customer}/payment-methods", headers=headers, json=body)
    assert saved.status_code == 201
    found = client.get(f"{customer}/payment-preferences", headers=headers).json
    assert found == saved.json["preferences"] and len(found["saved_methods"]) == 1


def test_a_reset_tries_again_after_a_deadlock(demo_settings: dict[str, str], tmp_path: Path) -> None:
    """As a worker makes one: it has locked one table, and then wants another that the reset has locked already."""
    app = probed(demo_settings)
    with app.app_context():
        demo_data.load()
    reset_has_begun = threading.Event()

    def work() -> None:
        with connection(demo_settings) as held:
            held.autocommit = False
            run(held, "SELECT FROM webhook_endpoints FOR UPDATE")
            reset_has_begun.set()
            time.sleep(0.5)
            run(held, "SELECT count(*) FROM accounts")
            held.rollback()

    worker = threading.Thread(target=work)
    worker.start()
    reset_has_begun.wait()
    with app.app_context():
        demo_data.reset(app.config["OWNER_DATABASE_URI"], tmp_path)
    worker.join()
    with app.app_context():
        assert api_keys.authenticate(API_KEY)[0] == TENANT_ID

"""The platform's accounts and merchants' own: settings that contradict the environment are refused, at the start and later."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.config.setting import ConfigError
from app.errors import InvalidRequest, ProviderNotConfigured
from app.providers import PROVIDERS
from app.services.provider_access import accounts as provider_accounts
from app.unit_of_work import transaction
from tests.support.gateway import OPERATOR
from tests.support.providers import Scripted
from tests.support.tenants import make_merchant

PUSH = "/mpesa/stkpush/v1/processrequest"

LIVE_MPESA = {
    "MPESA_ENV": "live",
    "MPESA_CONSUMER_KEY": "key",
    "MPESA_CONSUMER_SECRET": "2ySBbWvJ0mHnXcQd",
    "MPESA_SHORTCODE": "600123",
    "MPESA_PASSKEY": "bfb279f9aa9bdbcf" * 4,
    "MPESA_SECURITY_CREDENTIAL": "b3BlcmF0b3I=",
}
LIVE_PESAPAL = {
    "PESAPAL_ENV": "live",
    "PESAPAL_CONSUMER_KEY": "key",
    "PESAPAL_CONSUMER_SECRET": "qkio1BGGYAXTu2JO",
}

CONTRADICTIONS: list[tuple[dict[str, str], str]] = [
    ({"STRIPE_ENV": "live", "STRIPE_API_KEY": "sk_test_51"}, "STRIPE_API_KEY is a test credential"),
    ({"STRIPE_ENV": "live", "STRIPE_API_KEY": "rk_test_51"}, "STRIPE_API_KEY is a test credential"),
    ({"STRIPE_ENV": "live", "STRIPE_API_KEY": "pk_live_51"}, "STRIPE_API_KEY does not begin with sk_live_"),
    ({"STRIPE_ENV": "sandbox", "STRIPE_API_KEY": "sk_live_51"}, "STRIPE_API_KEY is a live credential"),
    (
        {"STRIPE_ENV": "live", "STRIPE_API_KEY": "rk_live_51", "STRIPE_WEBHOOK_SECRET": "whsec_sandbox"},
        "STRIPE_WEBHOOK_SECRET is a test credential",
    ),
    (
        {"PAYSTACK_ENV": "live", "PAYSTACK_SECRET_KEY": "sk_test_51"},
        "PAYSTACK_SECRET_KEY is a test credential",
    ),
    (
        {"PAYSTACK_ENV": "sandbox", "PAYSTACK_SECRET_KEY": "sk_live_51"},
        "PAYSTACK_SECRET_KEY is a live credential",
    ),
    ({"CHAPA_ENV": "live", "CHAPA_SECRET_KEY": "CHASECK_TEST-51"}, "CHAPA_SECRET_KEY is a test credential"),
    ({"CHAPA_ENV": "sandbox", "CHAPA_SECRET_KEY": "CHASECK-51"}, "CHAPA_SECRET_KEY is a live credential"),
    (
        LIVE_PESAPAL | {"PESAPAL_CONSUMER_SECRET": "osGQ364R49cXKeOYSpaOnT++rHs="},
        "PESAPAL_CONSUMER_SECRET is a test",
    ),
    (
        LIVE_PESAPAL | {"PESAPAL_BASE_URL": "https://cybqa.pesapal.com/pesapalv3"},
        "PESAPAL_BASE_URL is Pesapal's address for the other environment",
    ),
    (LIVE_MPESA | {"MPESA_SHORTCODE": "174379"}, "MPESA_SHORTCODE is a test credential"),
    (
        LIVE_MPESA | {"MPESA_BASE_URL": "https://sandbox.safaricom.co.ke"},
        "MPESA_BASE_URL is M-Pesa's address",
    ),
    (
        {"MPESA_ENV": "sandbox", "MPESA_BASE_URL": "https://api.safaricom.co.ke"},
        "MPESA_BASE_URL is M-Pesa's address",
    ),
]

AS_CONFIGURED = {"mode of the tests": {}, "production": {"GATEWAY_ENV": "production"}}
"""In demo and test mode the simulators' credentials are the defaults; production has none."""


@pytest.mark.parametrize("mode", AS_CONFIGURED)
@pytest.mark.parametrize(("more", "sentence"), CONTRADICTIONS, ids=[found for _, found in CONTRADICTIONS])
def test_nothing_starts_with_a_contradiction(
    settings: dict[str, str], mode: str, more: dict[str, str], sentence: str
) -> None:
    """The sentence names the setting and its environment, and shows no credential."""
    with pytest.raises(ConfigError) as caught:
        create_app({**settings, **AS_CONFIGURED[mode], **more})
    text = str(caught.value)
    assert sentence in text
    assert f"_ENV is {next(value for name, value in more.items() if name.endswith('_ENV'))}" in text
    secrets = [value for name, value in more.items() if name.endswith(("KEY", "SECRET"))]
    assert not [secret for secret in secrets if secret in text and len(secret) > 6]


def test_live_settings_start(settings: dict[str, str]) -> None:
    app = create_app(
        {
            **settings,
            **LIVE_MPESA,
            **LIVE_PESAPAL,
            "GATEWAY_ENV": "production",
            "STRIPE_API_KEY": "rk_live_51",
            "STRIPE_WEBHOOK_SECRET": "whsec_51",
            "PAYSTACK_SECRET_KEY": "sk_live_51",
            "CHAPA_SECRET_KEY": "CHASECK-51",
            "CHAPA_WEBHOOK_SECRET": "hash",
        }
    )
    shop = make_merchant(app)
    with app.app_context():
        assert set(provider_accounts.available(shop.tenant_id)) == {
            "mpesa",
            "stripe",
            "chapa",
            "paystack",
            "pesapal",
        }


def test_production_calls_no_simulator_a_live_provider(settings: dict[str, str]) -> None:
    address = {"SANDBOX_URL": "http://sandbox:4010", "MPESA_BASE_URL": "http://sandbox:4010/mpesa"}
    with pytest.raises(ConfigError, match="MPESA_BASE_URL is the address of the simulators"):
        create_app({**settings, **LIVE_MPESA, **address, "GATEWAY_ENV": "production"})


TEST_KEY = {"api_key": "sk_test_51Shop", "webhook_secret": "whsec_of_the_shop"}
LIVE_KEY = {"api_key": "sk_live_51Shop", "webhook_secret": "whsec_of_the_shop"}


@pytest.mark.parametrize(
    ("values", "environment", "sentence"),
    [
        (TEST_KEY, "live", "api_key is a test credential, and the environment is live"),
        (LIVE_KEY, "sandbox", "api_key is a live credential, and the environment is sandbox"),
        ({**LIVE_KEY, "api_key": "of-no-kind"}, "live", "api_key does not begin with sk_live_ or rk_live_"),
    ],
)
def test_a_merchant_s_own_account_is_refused_when_it_is_set(
    app: Flask, values: dict[str, str], environment: str, sentence: str
) -> None:
    shop = make_merchant(app)
    with app.app_context(), pytest.raises(InvalidRequest) as caught:
        provider_accounts.set_account(
            shop.tenant_id, "stripe", values, environment=environment, operator=OPERATOR
        )
    assert sentence in caught.value.message
    assert values["api_key"] not in caught.value.message


def test_an_own_account_that_was_stored_with_a_contradiction_is_not_used(app: Flask) -> None:
    """Stored before it was checked, or altered since: its test money would be a live balance."""
    shop = make_merchant(app)
    with app.app_context():
        provider_accounts.set_account(
            shop.tenant_id, "stripe", TEST_KEY, environment="sandbox", operator=OPERATOR
        )
        assert "stripe" in provider_accounts.available(shop.tenant_id)
        _call_live(shop.tenant_id)
        assert "stripe" not in provider_accounts.available(shop.tenant_id)
        with pytest.raises(ProviderNotConfigured, match="api_key is a test credential"):
            provider_accounts.for_tenant(shop.tenant_id, "stripe")
    body = {"provider": "stripe", "amount": 10, "currency": "USD", "customer": {"phone": "+254700000000"}}
    answer = app.test_client().post(
        "/api/v1/payments/initialize", json=body, headers=shop.headers | {"Idempotency-Key": "contradiction"}
    )
    assert answer.status_code == 400, answer.text
    assert "is not usable" in answer.get_data(as_text=True)


def test_callback_settings_are_used(settings: dict[str, str]) -> None:
    """The base of the URLs given to Daraja, and the addresses that callbacks are taken from."""
    with Scripted() as daraja:
        daraja.on("/oauth/v1/generate", (200, {"access_token": "token", "expires_in": "3599"}))
        daraja.on(PUSH, (200, {"CheckoutRequestID": "ws_CO_1", "ResponseCode": "0"}))
        own = {
            "MPESA_BASE_URL": daraja.url,
            "MPESA_CALLBACK_URL": "https://callbacks.example/mpesa/",
            "MPESA_CALLBACK_IPS": "192.0.2.1, 198.51.100.0/24",
        }
        app = create_app(settings | own)
        shop = make_merchant(app)
        body = {"provider": "mpesa", "amount": 10, "currency": "KES", "customer": {"phone": "+254708374149"}}
        answer = app.test_client().post(
            "/api/v1/payments/initialize", json=body, headers=shop.headers | {"Idempotency-Key": "callbacks"}
        )
        assert answer.status_code == 201, answer.text
        (push,) = daraja.asked(PUSH)
    base, _, token = push.json["CallBackURL"].rpartition("/")
    assert base == "https://callbacks.example/mpesa"
    url = f"/api/v1/webhooks/mpesa/{token}"
    callback = {"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1", "ResultCode": 1032}}}
    client = app.test_client()
    accepted = ("198.51.100.7", "::ffff:198.51.100.7", "192.0.2.1:50123", "[::ffff:192.0.2.1]:50123")
    refused = ("203.0.113.9", "::ffff:203.0.113.9", "203.0.113.9:1", "10.0.0.1", "fe80::1", "nonsense", "")
    for address, status in (*((one, 200) for one in accepted), *((one, 401) for one in refused)):
        received = client.post(url, json=callback, environ_base={"REMOTE_ADDR": address})
        assert received.status_code == status, (address, received.text)
    counted = (
        f'malipo_callbacks_refused_total{{code="SIGNATURE_INVALID",provider="mpesa"}} {len(refused):.1f}'
    )
    assert counted in client.get("/metrics").text


def test_a_list_that_refuses_a_proxy_is_noticed(
    settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a trusted proxy every callback has the proxy's address: one warning says so, and a counter goes on."""
    app = create_app(settings | {"MPESA_CALLBACK_IPS": "196.201.214.200"})
    client = app.test_client()
    for address in ("172.18.0.1", "::ffff:10.0.0.9", "8.8.8.8", "127.0.0.1"):
        received = client.post("/api/v1/webhooks/mpesa", json={}, environ_base={"REMOTE_ADDR": address})
        assert received.status_code == 401, address
    assert (
        'malipo_callbacks_from_private_addresses_total{provider="mpesa"} 3.0' in client.get("/metrics").text
    )
    logged = capsys.readouterr().err
    assert logged.count("callback.sender_is_private") == 1
    assert "172.18.0.1" in logged and "PROXIES_IN_FRONT" in logged


@pytest.mark.parametrize("name", PROVIDERS)
def test_settings_that_are_not_given_are_those_of_the_platform_s_account(
    settings: dict[str, str], name: str
) -> None:
    """An own account with what is required alone, and the platform's in production with the same."""
    required = {one.name: one.demo or "" for one in PROVIDERS[name].settings if one.is_required}
    environ = {f"{name}_{setting}".upper(): value for setting, value in required.items()}
    production = {
        "GATEWAY_ENV": "production",
        "ALLOW_TEST_PROVIDERS": "true",
        f"{name}_ENV".upper(): "sandbox",
    }
    app = create_app(settings | production | environ)
    shops = [make_merchant(app) for _ in range(2)]
    with app.app_context():
        provider_accounts.set_account(
            shops[0].tenant_id, name, required, environment="sandbox", operator=OPERATOR
        )
        own, platform = (provider_accounts.for_tenant(shop.tenant_id, name).provider for shop in shops)
    assert own.account.id != platform.account.id
    assert own.account.values == platform.account.values


def _call_live(tenant_id: uuid.UUID) -> None:
    statement = text("UPDATE provider_accounts SET environment = 'live' WHERE tenant_id = :id")
    transaction(lambda session: session.execute(statement, {"id": tenant_id}))

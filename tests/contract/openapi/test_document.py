"""/openapi.json is a valid OpenAPI 3.1 document, its names are stable, and its examples are taken."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.tenants import make_merchant

OPERATIONS = {
    "auth_register": "POST /api/v1/auth/register",
    "auth_login": "POST /api/v1/auth/login",
    "auth_refresh": "POST /api/v1/auth/refresh",
    "auth_logout": "POST /api/v1/auth/logout",
    "sessions_list": "GET /api/v1/auth/sessions",
    "sessions_end": "DELETE /api/v1/auth/sessions/{session_id}",
    "sessions_end_others": "DELETE /api/v1/auth/sessions",
    "passwords_change": "POST /api/v1/auth/password",
    "emails_confirm": "POST /api/v1/auth/confirm-email",
    "wallets_open": "POST /api/v1/accounts/wallets",
    "wallets_list": "GET /api/v1/accounts",
    "wallets_get": "GET /api/v1/accounts/{wallet_id}",
    "wallets_list_transactions": "GET /api/v1/accounts/{wallet_id}/transactions",
    "wallets_deposit": "POST /api/v1/accounts/{wallet_id}/deposit",
    "wallets_withdraw": "POST /api/v1/accounts/{wallet_id}/withdraw",
    "kyc_submit": "POST /api/v1/kyc/submit",
    "kyc_upload_document": "POST /api/v1/kyc/documents",
    "kyc_get_status": "GET /api/v1/kyc/status",
    "wallet_payments_create": "POST /api/v1/payments",
    "wallet_payments_create_batch": "POST /api/v1/payments/batch",
    "payments_list": "GET /api/v1/payments",
    "payments_get": "GET /api/v1/payments/{payment_id}",
    "payments_initialize": "POST /api/v1/payments/initialize",
    "payments_verify": "POST /api/v1/payments/{payment_id}/verify",
    "payments_refund": "POST /api/v1/payments/{payment_id}/refund",
    "payments_cancel": "POST /api/v1/payments/{payment_id}/cancel",
    "refunds_list": "GET /api/v1/payments/{payment_id}/refunds",
    "providers_list": "GET /api/v1/payments/providers",
    "customers_create": "POST /api/v1/customers",
    "customers_list": "GET /api/v1/customers",
    "customers_get": "GET /api/v1/customers/{customer_id}",
    "customers_get_preferences": "GET /api/v1/customers/{customer_id}/payment-preferences",
    "customers_get_checkout_options": "GET /api/v1/customers/{customer_id}/checkout-options",
    "customers_set_preferred_provider": "PUT /api/v1/customers/{customer_id}/preferred-provider",
    "payment_methods_save": "POST /api/v1/customers/{customer_id}/payment-methods",
    "payment_methods_remove": "DELETE /api/v1/customers/{customer_id}/payment-methods/{method_id}",
    "payment_methods_set_default": "PUT /api/v1/customers/{customer_id}/payment-methods/{method_id}/default",
    "callbacks_receive": "POST /api/v1/webhooks/{provider}",
    "callbacks_receive_by_get": "GET /api/v1/webhooks/{provider}",
    "callbacks_receive_at_token": "POST /api/v1/webhooks/{provider}/{token}",
    "callbacks_receive_at_token_by_get": "GET /api/v1/webhooks/{provider}/{token}",
    "provider_events_list": "GET /api/v1/webhooks/events",
    "provider_events_list_dead_letters": "GET /api/v1/webhooks/dead-letter-queue",
    "provider_events_get": "GET /api/v1/webhooks/events/{event_id}",
    "provider_events_retry": "POST /api/v1/webhooks/events/{event_id}/retry",
    "provider_events_get_statistics": "GET /api/v1/webhooks/statistics",
    "members_list": "GET /api/v1/members",
    "members_set_role": "PUT /api/v1/members/{user_id}",
    "members_remove": "DELETE /api/v1/members/{user_id}",
    "members_suspend": "POST /api/v1/members/{user_id}/suspend",
    "members_resume": "POST /api/v1/members/{user_id}/resume",
    "invitations_create": "POST /api/v1/invitations",
    "invitations_list": "GET /api/v1/invitations",
    "invitations_revoke": "DELETE /api/v1/invitations/{invitation_id}",
    "invitations_accept": "POST /api/v1/invitations/accept",
    "api_keys_list": "GET /api/v1/api-keys",
    "api_keys_create": "POST /api/v1/api-keys",
    "api_keys_revoke": "DELETE /api/v1/api-keys/{key_id}",
    "api_keys_rotate": "POST /api/v1/api-keys/{key_id}/rotate",
    "api_keys_suspend": "POST /api/v1/api-keys/{key_id}/suspend",
    "api_keys_resume": "POST /api/v1/api-keys/{key_id}/resume",
    "audit_logs_list": "GET /api/v1/admin/audit-logs",
    "statistics_get": "GET /api/v1/admin/statistics",
    "payments_reconcile": "POST /api/v1/admin/reconcile",
    "users_suspend": "POST /api/v1/admin/users/{user_id}/suspend",
    "users_reactivate": "POST /api/v1/admin/users/{user_id}/reactivate",
    "users_end_sessions": "POST /api/v1/admin/users/{user_id}/end-sessions",
    "orders_create": "POST /api/v1/orders",
    "orders_list": "GET /api/v1/orders",
    "orders_get": "GET /api/v1/orders/{order_id}",
    "orders_cancel": "POST /api/v1/orders/{order_id}/cancel",
    "orders_check_out": "POST /api/v1/orders/{order_id}/checkout",
    "tenant_wallet_get_balance": "GET /api/v1/wallet/balance",
    "tenant_wallet_list_transactions": "GET /api/v1/wallet/transactions",
    "tenant_wallet_get_statement": "GET /api/v1/wallet/statement",
    "withdrawals_options": "GET /api/v1/wallet/withdrawal-options",
    "withdrawals_initiate": "POST /api/v1/wallet/withdrawals",
    "withdrawals_list": "GET /api/v1/wallet/withdrawals",
    "withdrawals_get": "GET /api/v1/wallet/withdrawals/{transaction_id}",
    "withdrawals_approve": "POST /api/v1/wallet/withdrawals/{transaction_id}/approve",
    "withdrawals_cancel": "POST /api/v1/wallet/withdrawals/{transaction_id}/cancel",
    "destinations_list": "GET /api/v1/wallet/destinations",
    "destinations_choose": "PUT /api/v1/wallet/payout-method",
    "destinations_confirm": "POST /api/v1/wallet/destinations/{destination_id}/confirm",
    "oauth_clients_list": "GET /api/v1/developers/oauth-clients",
    "oauth_clients_create": "POST /api/v1/developers/oauth-clients",
    "oauth_clients_rotate": "POST /api/v1/developers/oauth-clients/{client_id}/rotate",
    "oauth_clients_disable": "DELETE /api/v1/developers/oauth-clients/{client_id}",
    "oauth_grants_list": "GET /api/v1/developers/oauth-grants",
    "oauth_grants_revoke": "DELETE /api/v1/developers/oauth-grants/{grant_id}",
    "oauth_authorize": "GET /v1/oauth/authorize",
    "oauth_token_create": "POST /v1/oauth/token",
    "oauth_token_revoke": "POST /v1/oauth/revoke",
    "oauth_token_introspect": "POST /v1/oauth/introspect",
    "oauth_metadata_get": "GET /.well-known/oauth-authorization-server",
    "health_get": "GET /health",
    "health_get_live": "GET /health/live",
    "health_get_ready": "GET /health/ready",
    "version_get": "GET /version",
}
"""operationId → where. Clients' generators name functions by these: one is added, none is renamed."""

KEYS = {
    "payments_initialize": True,
    "payments_refund": True,
    "wallets_open": False,
    "wallets_deposit": False,
    "wallets_withdraw": False,
    "wallet_payments_create": False,
    "orders_create": False,
    "orders_check_out": False,
    "wallet_payments_create_batch": False,
    "withdrawals_initiate": False,
    "withdrawals_approve": False,
    "withdrawals_cancel": False,
}
"""Operations that take an Idempotency-Key, and whether they must have one."""

STATUSES = {
    "auth_register": "201 400 409 413 415 429 500 503",
    "auth_login": "200 400 401 409 413 415 429 500 503",
    "auth_refresh": "200 400 401 409 413 415 429 500 503",
    "auth_logout": "200 400 401 409 429 500 503",
    "sessions_list": "200 400 401 429 500 503",
    "sessions_end": "200 400 401 404 409 429 500 503",
    "sessions_end_others": "200 400 401 409 429 500 503",
    "passwords_change": "200 400 401 409 413 415 429 500 503",
    "emails_confirm": "200 400 401 409 413 415 429 500 503",
    "wallets_open": "201 400 401 409 413 415 422 429 500 503",
    "wallets_list": "200 400 401 429 500 503",
    "wallets_get": "200 400 401 404 429 500 503",
    "wallets_list_transactions": "200 400 401 404 429 500 503",
    "wallets_deposit": "200 400 401 403 404 409 413 415 422 429 500 503",
    "wallets_withdraw": "200 400 401 403 404 409 413 415 422 429 500 503",
    "kyc_submit": "201 400 401 409 413 415 429 500 503",
    "kyc_upload_document": "201 400 401 409 413 415 429 500 503",
    "kyc_get_status": "200 400 401 429 500 503",
    "wallet_payments_create": "201 400 401 403 404 409 413 415 422 429 500 503",
    "wallet_payments_create_batch": "201 400 401 404 409 413 415 422 429 500 503",
    "payments_list": "200 400 401 403 429 500 503",
    "payments_get": "200 400 401 403 404 429 500 503",
    "payments_initialize": "201 400 401 402 403 409 413 415 422 429 500 502 503",
    "payments_verify": "200 400 401 403 404 409 413 415 429 500 502 503",
    "payments_refund": "200 400 401 402 403 404 409 413 415 422 429 500 502 503",
    "payments_cancel": "200 400 401 403 404 409 413 415 429 500 502 503",
    "refunds_list": "200 400 401 403 404 429 500 503",
    "providers_list": "200 400 401 403 429 500 503",
    "customers_create": "201 400 401 403 409 413 415 429 500 503",
    "customers_list": "200 400 401 403 429 500 503",
    "customers_get": "200 400 401 403 404 429 500 503",
    "customers_get_preferences": "200 400 401 403 404 429 500 503",
    "customers_get_checkout_options": "200 400 401 403 404 429 500 503",
    "customers_set_preferred_provider": "200 400 401 403 404 409 413 415 429 500 503",
    "payment_methods_save": "201 400 401 403 404 409 413 415 429 500 503",
    "payment_methods_remove": "200 400 401 403 404 409 429 500 503",
    "payment_methods_set_default": "200 400 401 403 404 409 429 500 503",
    "callbacks_receive": "200 400 401 404 409 413 500 503",
    "callbacks_receive_by_get": "200 400 401 404 409 413 500 503",
    "callbacks_receive_at_token": "200 400 401 404 409 413 500 503",
    "callbacks_receive_at_token_by_get": "200 400 401 404 409 413 500 503",
    "provider_events_list": "200 400 401 403 429 500 503",
    "provider_events_list_dead_letters": "200 400 401 403 429 500 503",
    "provider_events_get": "200 400 401 403 404 429 500 503",
    "provider_events_retry": "200 400 401 403 404 409 413 415 429 500 503",
    "provider_events_get_statistics": "200 400 401 403 429 500 503",
    "members_list": "200 400 401 403 429 500 503",
    "members_set_role": "200 400 401 403 404 409 413 415 429 500 503",
    "members_remove": "200 400 401 403 404 409 429 500 503",
    "members_suspend": "200 400 401 403 404 409 413 415 429 500 503",
    "members_resume": "200 400 401 403 404 409 429 500 503",
    "invitations_create": "201 400 401 403 409 413 415 429 500 503",
    "invitations_list": "200 400 401 403 429 500 503",
    "invitations_revoke": "200 400 401 403 404 409 429 500 503",
    "invitations_accept": "200 400 401 409 413 415 429 500 503",
    "api_keys_list": "200 400 401 403 429 500 503",
    "api_keys_create": "201 400 401 403 409 413 415 429 500 503",
    "api_keys_revoke": "200 400 401 403 404 409 429 500 503",
    "api_keys_rotate": "201 400 401 403 404 409 413 415 429 500 503",
    "api_keys_suspend": "200 400 401 403 404 409 429 500 503",
    "api_keys_resume": "200 400 401 403 404 409 429 500 503",
    "audit_logs_list": "200 400 401 403 429 500 503",
    "statistics_get": "200 400 401 403 429 500 503",
    "payments_reconcile": "200 400 401 403 409 413 415 429 500 503",
    "users_suspend": "200 400 401 403 404 409 413 415 429 500 503",
    "users_reactivate": "200 400 401 403 404 409 413 415 429 500 503",
    "users_end_sessions": "200 400 401 403 404 409 413 415 429 500 503",
    "orders_create": "201 400 401 403 409 413 415 422 429 500 503",
    "orders_list": "200 400 401 403 429 500 503",
    "orders_get": "200 400 401 403 404 429 500 503",
    "orders_cancel": "200 400 401 403 404 409 413 415 429 500 503",
    "orders_check_out": "200 201 400 401 402 403 404 409 413 415 422 429 500 502 503",
    "tenant_wallet_get_balance": "200 400 401 403 429 500 503",
    "tenant_wallet_list_transactions": "200 400 401 403 429 500 503",
    "tenant_wallet_get_statement": "200 400 401 403 429 500 503",
    "withdrawals_options": "200 400 401 403 429 500 503",
    "withdrawals_initiate": "201 400 401 403 409 413 415 422 429 500 503",
    "withdrawals_list": "200 400 401 403 429 500 503",
    "withdrawals_get": "200 400 401 403 404 429 500 503",
    "withdrawals_approve": "200 400 401 403 404 409 413 415 422 429 500 503",
    "withdrawals_cancel": "200 400 401 403 404 409 413 415 422 429 500 503",
    "destinations_list": "200 400 401 403 429 500 503",
    "destinations_choose": "200 400 401 403 409 413 415 429 500 503",
    "destinations_confirm": "200 400 401 403 404 409 413 415 429 500 503",
    "oauth_clients_list": "200 400 401 403 429 500 503",
    "oauth_clients_create": "201 400 401 403 409 413 415 429 500 503",
    "oauth_clients_rotate": "201 400 401 403 404 409 429 500 503",
    "oauth_clients_disable": "200 400 401 403 404 409 429 500 503",
    "oauth_grants_list": "200 400 401 403 429 500 503",
    "oauth_grants_revoke": "200 400 401 403 404 409 429 500 503",
    "oauth_authorize": "200 302 400 429 500 503",
    "oauth_token_create": "200 400 401 409 413 415 429 500 503",
    "oauth_token_revoke": "200 400 401 409 413 415 429 500 503",
    "oauth_token_introspect": "200 400 401 409 413 415 429 500 503",
    "oauth_metadata_get": "200 400",
    "health_get": "200 400",
    "health_get_live": "200 400",
    "health_get_ready": "200 400 503",
    "version_get": "200 400",
}


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By operationId."""
    return {
        operation["operationId"]: operation
        for item in document["paths"].values()
        for operation in item.values()
    }


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_operations_have_these_names(document: dict[str, Any]) -> None:
    found = [
        (operation["operationId"], f"{method.upper()} {path}")
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    assert len(found) == len(OPERATIONS) and dict(found) == OPERATIONS


def test_statuses_are_exactly_these(operations: dict[str, dict[str, Any]]) -> None:
    assert {name: " ".join(found["responses"]) for name, found in operations.items()} == STATUSES


def test_keys_are_documented_and_demanded(
    app: Flask, operations: dict[str, dict[str, Any]], client: FlaskClient
) -> None:
    documented = {
        name: parameter["required"]
        for name, operation in operations.items()
        for parameter in operation["parameters"]
        if parameter["name"] == "Idempotency-Key"
    }
    assert documented == KEYS
    headers = make_merchant(app).headers
    for name in (name for name, is_required in KEYS.items() if is_required):
        path = (
            OPERATIONS[name].partition(" ")[2].replace("{payment_id}", "0195f3a0-b1c2-7d8e-9f00-112233445566")
        )
        answer = client.post(path, json={}, headers=headers)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "Missing Idempotency-Key header")


def test_every_answer_names_its_request(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        for status, response in operation["responses"].items():
            assert "X-Request-Id" in response["headers"], (name, status)
            assert status not in ("409", "429") or "Retry-After" in response["headers"], (name, status)


def test_every_body_with_fields_has_examples_that_its_schema_takes(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    seen = 0
    for name, operation in operations.items():
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if media is None:
            continue
        schema = {**media["schema"], "components": document["components"]}
        has_fields = document["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]][
            "properties"
        ]
        assert not has_fields or media["examples"], name
        for example in media.get("examples", {}).values():
            jsonschema_rs.validator_for(schema).validate(example["value"])
            seen += 1
    assert seen >= 15


def test_the_first_example_of_initialize_is_document_001s(operations: dict[str, dict[str, Any]]) -> None:
    media = operations["payments_initialize"]["requestBody"]["content"]["application/json"]
    assert next(iter(media["examples"].values()))["value"] == {
        "provider": "mpesa",
        "amount": 1000.0,
        "currency": "KES",
        "customer": {"phone": "+254700000000", "email": "customer@example.com", "name": "John Doe"},
        "metadata": {"order_id": "ORD-12345"},
    }


def test_a_document_is_uploaded_as_a_multipart_file(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    content = operations["kyc_upload_document"]["requestBody"]["content"]
    assert list(content) == ["multipart/form-data"]
    upload = document["components"]["schemas"]["DocumentUpload"]
    assert upload["properties"]["document"] | {"description": ""} == {
        "type": "string",
        "format": "binary",
        "description": "",
    }
    assert set(upload["required"]) == {"document", "document_type"}


def test_routes_under_two_prefixes_are_described_once(document: dict[str, Any]) -> None:
    assert not [path for path in document["paths"] if path.startswith("/v1/")]
    assert "/api/v1/health" not in document["paths"] and "/health" in document["paths"]


def test_tags_are_described_and_used(document: dict[str, Any], operations: dict[str, dict[str, Any]]) -> None:
    described = [tag["name"] for tag in document["tags"] if tag["description"]]
    assert described == [
        "Wallet API",
        "Gateway API",
        "Tenant API",
        "Operators",
        "Provider callbacks",
        "System",
    ]
    assert {tag for operation in operations.values() for tag in operation["tags"]} == set(described)


def test_credentials(operations: dict[str, dict[str, Any]]) -> None:
    key = [{"tenantKey": []}, {"tenantKeyAsBearer": []}]
    assert operations["payments_initialize"]["security"] == key
    assert operations["payments_list"]["security"] == [*key, {"accessToken": []}]
    assert "security" not in operations["wallets_get"] and "security" not in operations["statistics_get"]
    assert operations["callbacks_receive"]["security"] == operations["version_get"]["security"] == []

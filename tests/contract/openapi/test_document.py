"""/openapi.json is a valid OpenAPI 3.1 document, its names are stable, and its examples are taken."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract.openapi.operations import KEYS, OPERATIONS, STATUSES
from tests.support.tenants import make_merchant


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
    tags = {
        operation["tags"][0]
        for path, item in document["paths"].items()
        for operation in item.values()
        if path.startswith("/v1/")
    }
    assert tags == {"Processing API"}, "the Tenant API is described under /api/v1 alone"
    assert "/api/v1/health" not in document["paths"] and "/health" in document["paths"]


def test_tags_are_described_and_used(document: dict[str, Any], operations: dict[str, dict[str, Any]]) -> None:
    described = [tag["name"] for tag in document["tags"] if tag["description"]]
    assert described == [
        "Wallet API",
        "Gateway API",
        "Tenant API",
        "Booking API",
        "Processing API",
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

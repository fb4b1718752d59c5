"""The OpenAPI 3.1 document, generated from the routes and their schemas."""

from __future__ import annotations

import re
from typing import Any, Final

import marshmallow as ma
from flask import Flask
from flask_smorest import Api

from app.http.converters import PaymentIdConverter
from app.http.guards import API_KEY_HEADER, MERCHANT, MERCHANT_OR_USER, PUBLIC
from app.http.schema import Schema
from app.http.table import policies

API_CONFIG: Final = {
    "API_TITLE": "Malipo",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": None,
    "API_SPEC_OPTIONS": {
        "info": {"description": "A self-hosted payment gateway. Amounts in answers are decimal strings."},
        "servers": [{"url": "/"}],
        "security": [{"accessToken": []}],
        "components": {
            "securitySchemes": {
                "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "tenantKey": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER},
            },
        },
    },
}


class ErrorContent(Schema):
    """What went wrong."""

    code = ma.fields.String(required=True, metadata={"description": "A stable upper-case word."})
    message = ma.fields.String(required=True, metadata={"description": "One sentence for a person."})
    field = ma.fields.String(metadata={"description": "The offending input field."})
    details = ma.fields.Dict()


class Error(Schema):
    """An error of the Wallet API."""

    status = ma.fields.String(required=True, metadata={"enum": ["error"]})
    error = ma.fields.Nested(ErrorContent, required=True)


class DocumentedApi(Api):
    """flask-smorest's, with our error shape; its own error handler is replaced by app/http/errors.py."""

    ERROR_SCHEMA = Error

    def _register_error_handlers(self) -> None:
        return None

    # Components of flask-smorest that no route of ours uses.
    def _register_etag_headers(self) -> None:
        return None

    def _register_pagination_header(self) -> None:
        return None


def make_api() -> DocumentedApi:
    """An Api to be bound by init_app."""
    api = DocumentedApi()
    api.register_converter(PaymentIdConverter, _payment_id)
    return api


def document(app: Flask) -> dict[str, Any]:
    """The document of every route in the table; made once."""
    known: dict[str, Any] | None = app.extensions.get("openapi")
    if known is None:
        api: DocumentedApi = app.extensions["api"]
        known = api.spec.to_dict()
        _mark_credentials(app, known)
        app.extensions["openapi"] = known
    return known


_USER: Final[dict[str, list[str]]] = {"accessToken": []}
_TENANT: Final[dict[str, list[str]]] = {"tenantKey": []}

_CREDENTIALS: Final = {PUBLIC: [], MERCHANT: [_TENANT], MERCHANT_OR_USER: [_TENANT, _USER]}
"""Guard → what a caller may send. The others ask for a user's access token, the document's general rule."""


def _mark_credentials(app: Flask, spec: dict[str, Any]) -> None:
    """Each route says what its guard asks for; a path that two routes share says both."""
    asked: dict[tuple[str, str], list[dict[str, list[str]]]] = {}
    for rule in app.url_map.iter_rules():
        path = _PARAMETER.sub(r"{\1}", rule.rule)
        for method in rule.methods or ():
            known = asked.setdefault((path, method.lower()), [])
            known += _CREDENTIALS.get(policies(app)[rule.endpoint].guard, [_USER])
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            if method != "parameters" and asked[path, method] != [_USER]:
                operation["security"] = asked[path, method]


_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>:]+)>")


def _payment_id(converter: Any) -> dict[str, str]:
    return {"type": "string", "pattern": "^pmt_[0-9a-f]{32}$"}

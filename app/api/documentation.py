"""The OpenAPI 3.1 document, generated from the routes and their schemas."""

from __future__ import annotations

import re
from typing import Any, Final

import marshmallow as ma
from flask import Flask
from flask_smorest import Api

from app.api.converters import PaymentIdConverter
from app.api.guards import PUBLIC
from app.api.schema import Schema
from app.api.table import policies

API_CONFIG: Final = {
    "API_TITLE": "Malipo",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": None,
    "API_SPEC_OPTIONS": {
        "info": {"description": "A self-hosted payment gateway. Amounts in answers are decimal strings."},
        "servers": [{"url": "/"}],
        "security": [{"accessToken": []}],
        "components": {
            "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
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
    """flask-smorest's, with our error shape; its own error handler is replaced by app/api/errors.py."""

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
        _mark_public(app, known)
        app.extensions["openapi"] = known
    return known


def _mark_public(app: Flask, spec: dict[str, Any]) -> None:
    """A route whose guard asks for nothing says so, against the document's general rule."""
    for rule in app.url_map.iter_rules():
        path = _PARAMETER.sub(r"{\1}", rule.rule)
        for method, operation in spec["paths"].get(path, {}).items():
            if method.upper() in (rule.methods or ()) and policies(app)[rule.endpoint].guard is PUBLIC:
                operation["security"] = []


_PARAMETER: Final = re.compile(r"<(?:[^<>:]+:)?([^<>:]+)>")


def _payment_id(converter: Any) -> dict[str, str]:
    return {"type": "string", "pattern": "^pmt_[0-9a-f]{32}$"}

"""The OpenAPI 3.1 document, generated from the routes and their schemas."""

from __future__ import annotations

from typing import Any, Final

import marshmallow as ma
from flask_smorest import Api

from app.api.converters import PaymentIdConverter
from app.api.schema import Schema

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


def make_api() -> DocumentedApi:
    """An Api to be bound by init_app."""
    api = DocumentedApi()
    api.register_converter(PaymentIdConverter, _payment_id)
    return api


def _payment_id(converter: Any) -> dict[str, str]:
    return {"type": "string", "pattern": "^pmt_[0-9a-f]{32}$"}

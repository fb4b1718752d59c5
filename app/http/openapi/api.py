"""flask-smorest's Api, without what our rules replace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import marshmallow as ma
from flask import Flask
from flask_smorest import Api
from werkzeug.routing import BaseConverter

from app.http.answers import OneOf
from app.http.converters import CallbackTokenConverter, PaymentIdConverter, ProviderNameConverter
from app.http.guards import API_KEY_HEADER, PROCESSING_KEY_HEADER, TENANT_HEADER
from app.http.table import documented_blueprints

PAYMENT_ID_PATTERN: Final = "^pmt_[0-9a-f]{32}$"

_DESCRIPTION: Final = """\
A self-hosted payment gateway: payments between wallets, and payments through providers.

Amounts are decimal strings in answers, and JSON numbers or decimal strings in requests. Times are ISO 8601 in UTC.
Objects in answers may gain fields; unknown fields and unknown query parameters in requests are refused. Every answer has
an `X-Request-Id`.\
"""

API_CONFIG: Final = {
    "API_TITLE": "Malipo",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": None,
    "API_SPEC_OPTIONS": {
        "info": {
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "security": [{"accessToken": []}],
        "components": {
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A user's access token, from POST /api/v1/auth/login.",
                },
                "tenantKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": API_KEY_HEADER,
                    "description": "A merchant's API key. In demo mode a request without one is the demo merchant's.",
                },
                "tenantId": {
                    "type": "apiKey",
                    "in": "header",
                    "name": TENANT_HEADER,
                    "description": "The tenant's id; the API key must be its own.",
                },
                "tenantKeyAsBearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The same API key, as `Authorization: Bearer <key>`.",
                },
                "processingKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": PROCESSING_KEY_HEADER,
                    "description": "An API key, or an application's access token.",
                },
                "processingKeyAsBearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The same, as `Authorization: Bearer <key>`.",
                },
            },
        },
    },
}

_PATH_IDS: Final[tuple[tuple[type[BaseConverter], dict[str, Any]], ...]] = (
    (PaymentIdConverter, {"type": "string", "pattern": PAYMENT_ID_PATTERN}),
    (ProviderNameConverter, {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$"}),
    (CallbackTokenConverter, {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}),
)


class DocumentedApi(Api):
    """flask-smorest's; its own error handler is replaced by app/http/errors.py."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _init_spec(self, **options: Any) -> None:
        super()._init_spec(**options)
        self.ma_plugin.converter.add_attribute_function(_one_of)

    def _register_error_handlers(self) -> None:
        return None

    # Components of flask-smorest that no route here uses.
    def _register_responses(self) -> None:
        return None

    def _register_etag_headers(self) -> None:
        return None

    def _register_pagination_header(self) -> None:
        return None


def make_api(app: Flask) -> DocumentedApi:
    """An Api that describes the documented blueprints of `app`, which the table has registered (app/http/table.py).

    flask-smorest would describe each as it registers it, at the start of every process.
    """
    api = DocumentedApi()
    for converter, schema in _PATH_IDS:
        api.register_converter(converter, _always(schema))
    api.init_app(app)
    for name, blueprint in documented_blueprints(app):
        blueprint.register_views_in_doc(api, app, api.spec, name=name, parameters=None)
    return api


def _always(schema: dict[str, Any]) -> Callable[[BaseConverter], dict[str, Any]]:
    return lambda converter: dict(schema)


def _one_of(converter: Any, field: ma.fields.Field[Any], **_: Any) -> dict[str, Any]:
    if isinstance(field, OneOf):
        return {"oneOf": [converter.resolve_nested_schema(schema) for schema in field.schemas]}
    return {}

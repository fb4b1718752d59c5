"""Puts the strict body reader and the error tree under flask-smorest's `@blp.arguments`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import flask
import marshmallow as ma
from webargs.flaskparser import FlaskParser

from app.errors import CardDataNotAllowed, GatewayError, InvalidRequest, UnsupportedMediaType
from app.http import strict_json
from app.http.fields import CARD_NUMBER


class StrictParser(FlaskParser):
    """An absent body stands for `{}` where the schema requires no field (`curl -X POST …/verify`).

    `g.json_body` is the body as it came, for the request log.
    """

    def load_json(self, req: flask.Request, schema: ma.Schema) -> dict[str, Any]:
        is_optional = not any(field.required for field in schema.load_fields.values())
        max_bytes = flask.current_app.config["MAX_BODY_BYTES"]
        flask.g.json_body = body = strict_json.read_object(req, max_bytes=max_bytes, is_optional=is_optional)
        return body

    def load_form(self, req: flask.Request, schema: ma.Schema) -> Any:
        """Only multipart: no limit counts the fields of an encoded form, and a megabyte of them costs a second."""
        if req.mimetype != "multipart/form-data":
            raise UnsupportedMediaType("Send the fields and the file as multipart/form-data.")
        return super().load_form(req, schema)

    def handle_error(
        self,
        error: ma.ValidationError,
        req: flask.Request,
        schema: ma.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        # One location, whose messages are under its name.
        messages = next(iter(error.normalized_messages().values()))  # type: ignore[no-untyped-call]
        raise self.refusal(messages) from error

    def refusal(self, messages: Any) -> GatewayError:
        """The error that says so; `messages`: marshmallow's tree of them."""
        field, message = _first(messages)
        kind = CardDataNotAllowed if message == CARD_NUMBER else InvalidRequest
        return kind(f"{field}: {message}" if field else message, field=field, details={"fields": messages})


def _first(messages: Any, path: str = "") -> tuple[str | None, str]:
    """Path and text of the first message in marshmallow's tree, `payments.3.amount` style."""
    if isinstance(messages, dict):
        key = next(iter(messages))
        inner = path if key == "_schema" else f"{path}.{key}" if path else str(key)
        return _first(messages[key], inner)
    return path or None, str(messages[0] if isinstance(messages, list) else messages)

"""Parameters of OAuth requests: a form or a JSON object, each once; empty ones are absent, unknown ones ignored (RFC 6749, 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import flask
import marshmallow as ma

from app.errors import InvalidBody, OAuthRefused
from app.http import blueprint, fields, forms, strict_json
from app.http.parser import StrictParser
from app.http.schema import Schema

MAX_TEXT: Final = 2048
"""Characters of a parameter."""


def parameter(description: str) -> fields.Text:
    """A parameter that a schema does not require: what is missing is refused by the service, in the RFC's order."""
    return fields.Text(max_length=MAX_TEXT, metadata={"description": description})


class OAuthAuthorizeQuery(Schema):
    """What an application asks a user for."""

    client_id = parameter("Required.")
    redirect_uri = parameter("Required: one that is registered, spelt exactly.")
    response_type = parameter("Required: `code`.")
    scope = parameter("Permissions with a space between them; left out: payments:read.")
    state = parameter("Is answered with the code; proves that the answer belongs to your request.")
    code_challenge = parameter("PKCE; required of public clients.")
    code_challenge_method = parameter("`S256`.")


class OAuthParser(StrictParser):
    """Every refusal is one of RFC 6749's `invalid_request`."""

    def load_json(self, req: flask.Request, schema: ma.Schema) -> dict[str, Any]:
        try:
            if req.mimetype != forms.TYPE:
                return _known(strict_json.read_object(req, max_bytes=forms.MAX_BYTES).items(), schema)
            return _known(forms.read_pairs(req), schema)
        except InvalidBody as error:
            raise OAuthRefused(message=error.message) from None

    def load_querystring(self, req: flask.Request, schema: ma.Schema) -> dict[str, Any]:
        return _known(req.args.items(multi=True), schema)

    def refusal(self, messages: Any) -> OAuthRefused:
        return OAuthRefused(message=super().refusal(messages).message)


class Blueprint(blueprint.Blueprint):
    ARGUMENTS_PARSER = OAuthParser()

    def _prepare_arguments_doc(self, doc: Any, doc_info: Any, **kwargs: Any) -> Any:
        """Each body may be a form, too."""
        described = super()._prepare_arguments_doc(doc, doc_info, **kwargs)
        content = described.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            content[forms.TYPE] = {"schema": content["application/json"]["schema"]}
        return described


def _known(pairs: Iterable[tuple[str, Any]], schema: ma.Schema) -> dict[str, Any]:
    """Raises OAuthRefused: a parameter that the route reads is there twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in schema.load_fields or value in ("", None):
            continue
        if name in found:
            raise OAuthRefused(message=f"The parameter '{name}' may be given once.")
        found[name] = value
    return found

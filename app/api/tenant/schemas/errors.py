"""The error bodies of the Tenant API."""

from __future__ import annotations

from marshmallow import fields as ma

from app.http.answers import Answer


class TenantError(Answer):
    """An error of the Tenant API: of a credential (`error` is an object), of a right or an id (`detail`), or of the request
    (`error` is a sentence)."""

    optional = frozenset({"error", "detail", "details"})

    error = ma.Raw(
        metadata={
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                },
            ]
        }
    )
    detail = ma.String()
    details = ma.Dict(metadata={"description": "Facts about the refusal."})

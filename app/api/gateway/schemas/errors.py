"""The error bodies of the Gateway API."""

from __future__ import annotations

from marshmallow import fields as ma

from app.http.answers import Answer, one_of


class GatewayError(Answer):
    """An error of the Gateway API."""

    optional = frozenset({"details"})

    success = ma.Boolean(metadata={"description": "Always false."})
    error = ma.String(metadata={"description": "One sentence for a human reader."})
    details = ma.Dict(metadata={"description": "For wrong input: the fields and what is wrong with them."})


class MissingKeyError(Answer):
    """The request has no `Idempotency-Key` and needs one. The Gateway API gives this one a body of its own."""

    error = one_of("Missing Idempotency-Key header")
    message = ma.String()

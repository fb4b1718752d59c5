"""Base of every schema: unknown fields are refused, messages are sentences."""

from __future__ import annotations

import marshmallow as ma


class Schema(ma.Schema):
    """Input and output of a route. Order of fields is order of error messages and of the document."""

    class Meta:
        unknown = ma.RAISE

    error_messages = {  # noqa: RUF012 marshmallow reads a plain class attribute
        "unknown": "This field is not known here.",
        "type": "This must be a JSON object.",
    }

"""Fields of stays."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from app.http import fields


class Day(fields.Text):
    """A calendar day, `2026-01-15`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=10, **kwargs)
        self.metadata = {"type": "string", "format": "date", "examples": ["2026-01-15"]}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            found = datetime.date.fromisoformat(text)
        except ValueError:
            found = None
        # fromisoformat takes other spellings, too: 20260115, 2026-W03-4.
        if found is None or found.isoformat() != text:
            raise ValidationError("This must be a day, such as 2026-01-15.")
        return found

"""How Stripe answers: indented JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response


def json_answer(body: Mapping[str, Any], status: int) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body, indent=2) + "\n", status=status, mimetype="application/json")

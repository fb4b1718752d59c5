"""What tests of the Paystack adapter need when there is no Paystack: an account and answers."""

from __future__ import annotations

from typing import Any

from app.providers.paystack import Paystack
from tests.support.providers import make_provider

REFERENCE = "0192f0c1-7a3b-7c11-8a52-3f2b6d1e9a01"
KEY = "sk_test_0123456789abcdef"

Answer = tuple[int, dict[str, Any]]


def paystack(url: str = "http://127.0.0.1:9", **values: str) -> Paystack:
    return make_provider(Paystack, url, timeout_s=20.0, **({"secret_key": KEY} | values))


def ok(data: object) -> Answer:
    return 200, {"status": True, "message": "ok", "data": data}


def refused(
    message: str, code: str | None = None, type_: str = "validation_error", http: int = 400
) -> Answer:
    """A refusal as the specification has it; the older parts of the API tell no `code`."""
    body = {
        "status": False,
        "message": message,
        "meta": {"nextStep": "Read the documentation."},
        "type": type_,
    }
    return http, body if code is None else body | {"code": code}

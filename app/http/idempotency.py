"""The `Idempotency-Key` of a request, as the claim that services act under (services/idempotency_service.py)."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import orjson
from flask import current_app, request

from app.errors import InvalidRequest
from app.http.guards import current_principal
from app.http.strict_json import MAX_INT_DIGITS
from app.services.idempotency_service import Answer, Claim

HEADER: Final = "Idempotency-Key"

_KEY: Final = re.compile(r"[ -+\--~]{1,255}")
"""No comma: WSGI servers join two headers of one name with it, and two keys are no key."""


def claim(
    body: Mapping[str, Any], present: Callable[[Any], Answer] | None = None, *, is_required: bool = False
) -> Claim:
    """The claim of this request: caller, operation and key; the fingerprint of the validated body; and the presenter of
    its answer. The operation is named by the route's function, so that two prefixes of a route are one operation.

    A request without a key has a scope that no other request has. Raises InvalidRequest for an unusable key, or a missing one that `is_required`.
    """
    key = request.headers.get(HEADER)
    if key is None and is_required:
        raise InvalidRequest(f"Send an {HEADER} header.", field=HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest(
            f"{HEADER} must be 1 to 255 printable ASCII characters without a comma, and sent once.",
            field=HEADER,
        )
    if key is None:
        return _claim(uuid.uuid4(), b"", "", present)
    # The ids in the path are part of what is asked, so they are part of the fingerprint.
    parts = (current_principal().idempotency_owner, _operation(), key)
    scope = hashlib.sha256("\n".join(parts).encode()).digest()[:16]
    shape = {"body": body, "path": {name: str(value) for name, value in (request.view_args or {}).items()}}
    return _claim(uuid.UUID(bytes=scope), fingerprint(shape), key, present)


def without_key(present: Callable[[Any], Answer]) -> Claim:
    """The claim of a request whose API takes no key."""
    return _claim(uuid.uuid4(), b"", "", present)


def _claim(scope: uuid.UUID, shape: bytes, key: str, present: Callable[[Any], Answer] | None) -> Claim:
    return Claim(scope, shape, key) if present is None else Claim(scope, shape, key, present)


def _operation() -> str:
    """The route's function, the same under every prefix it is mounted at."""
    view = current_app.view_functions[request.endpoint or ""]
    return f"{view.__module__}.{view.__name__}"


def fingerprint(body: Mapping[str, Any]) -> bytes:
    """SHA-256 of the body as canonical JSON: key order and number spelling (1, 1.0, 1.00) make no difference."""
    return hashlib.sha256(orjson.dumps(body, default=_canonical, option=orjson.OPT_SORT_KEYS)).digest()


def _canonical(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(_number(value))
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _number(value: Decimal) -> str:
    """One spelling for one number, exactly: Decimal's own arithmetic would round to 28 digits."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # the body reader takes no NaN
    text = "".join(map(str, digits))
    significant = text.rstrip("0")
    exponent += len(text) - len(significant)
    significant = significant.lstrip("0")
    if not significant:
        return "0"
    minus = "-" if sign else ""
    if exponent >= 0 and len(significant) + exponent <= MAX_INT_DIGITS:
        return f"{minus}{significant}{'0' * exponent}"  # as an int of this value is written
    return f"{minus}{significant}e{exponent}"

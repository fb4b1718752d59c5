"""Routes that are refused without an `Idempotency-Key`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import request

from app.api.gateway.errors import MissingIdempotencyKey
from app.http.idempotency import HEADER

Route = TypeVar("Route", bound=Callable[..., Any])


def requires_key(route: Route) -> Route:
    """Refuse a request without a key before its body is validated. Goes above `arguments`.

    An empty header is none: shells without `uuidgen` send that.
    """

    @wraps(route)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not request.headers.get(HEADER, "").strip():
            raise MissingIdempotencyKey
        return route(*args, **kwargs)

    return cast(Route, guarded)

"""A route's entry for the OpenAPI document, in one decorator directly below its `route`.

The guard, the limit, the body and the surface are known from elsewhere; what follows from them is not repeated here
(app/http/openapi/errors.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from app.errors import GatewayError

Route = TypeVar("Route", bound=Callable[..., Any])

ATTRIBUTE: Final = "operation"


class Key(StrEnum):
    """Whether a route takes an `Idempotency-Key`."""

    REQUIRED = "required"
    OPTIONAL = "optional"


REQUIRED: Final = Key.REQUIRED
OPTIONAL: Final = Key.OPTIONAL


@dataclass(frozen=True, slots=True)
class Operation:
    """`id`: the operationId, `<noun>_<verb>`; clients' generators name functions by it, so it never changes.

    `errors`: those that the route's own work raises. Guards, limits, bodies and keys add theirs.
    """

    id: str
    key: Key | None = None
    errors: tuple[type[GatewayError], ...] = ()


def operation(
    id: str,
    *,
    key: Key | None = None,
    errors: Sequence[type[GatewayError]] = (),
) -> Callable[[Route], Route]:
    """Name a route's operation. Where a route takes GET for POST too, that operation's id ends in `_by_get`."""

    def decorate(route: Route) -> Route:
        setattr(route, ATTRIBUTE, Operation(id, key, tuple(errors)))
        return route

    return decorate

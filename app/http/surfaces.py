"""Which API a request belongs to, by path and method: its errors have the shape of that API.

The table also decides for paths without a route, so a 404 has the shape that its neighbours have. Rows are tried in order, the first that fits wins; the last one always fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final


class Surface(StrEnum):
    """The APIs, and the routes of the gateway itself (health, documentation)."""

    WALLET = "wallet"
    GATEWAY = "gateway"
    TENANT = "tenant"
    PROCESSING = "processing"
    BOOKINGS = "bookings"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Row:
    """`path` and everything below it, or with `is_exact` that path alone; `methods` None: all.

    `starts`: the first segment below `path` must start with this.
    """

    surface: Surface
    path: str
    methods: frozenset[str] | None = None
    is_exact: bool = False
    starts: str = ""

    def fits(self, path: str, method: str) -> bool:
        if self.methods is not None and method not in self.methods:
            return False
        if self.starts:
            return path.startswith(f"{self.path}/{self.starts}")
        return path == self.path or (not self.is_exact and path.startswith(self.path + "/"))


_POST: Final = frozenset({"POST"})

ROWS: Final = (
    Row(Surface.WALLET, "/api/v1/auth"),
    Row(Surface.WALLET, "/v1/auth"),
    Row(Surface.WALLET, "/api/v1/accounts"),
    Row(Surface.WALLET, "/api/v1/kyc"),
    Row(Surface.WALLET, "/api/v1/payments", methods=_POST, is_exact=True),
    Row(Surface.WALLET, "/api/v1/payments/batch"),
    Row(Surface.WALLET, "/api/v1/payments", starts="pmt_"),
    Row(Surface.TENANT, "/api/v1/customers"),
    Row(Surface.TENANT, "/v1/customers"),
    Row(Surface.TENANT, "/api/v1/wallet"),
    Row(Surface.TENANT, "/v1/wallet"),
    Row(Surface.TENANT, "/api/v1/orders"),
    Row(Surface.TENANT, "/v1/orders"),
    Row(Surface.TENANT, "/api/v1/members"),
    Row(Surface.TENANT, "/v1/members"),
    Row(Surface.TENANT, "/api/v1/invitations"),
    Row(Surface.TENANT, "/v1/invitations"),
    Row(Surface.TENANT, "/api/v1/api-keys"),
    Row(Surface.TENANT, "/v1/api-keys"),
    Row(Surface.TENANT, "/api/v1/developers"),
    Row(Surface.TENANT, "/v1/developers"),
    Row(Surface.TENANT, "/api/v1/tenant"),
    Row(Surface.TENANT, "/v1/tenant"),
    Row(Surface.GATEWAY, "/api/v1"),
    Row(Surface.PROCESSING, "/v1"),
    Row(Surface.BOOKINGS, "/api"),
    Row(Surface.SYSTEM, ""),
)


@lru_cache(maxsize=1024)
def surface_of(path: str, method: str) -> Surface:
    """The surface of a request. A trailing slash changes nothing."""
    path = path.rstrip("/")
    return next(row.surface for row in ROWS if row.fits(path, method))

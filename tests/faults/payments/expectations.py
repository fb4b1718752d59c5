"""The expected outcome of a payment by provider and fault: one table that the tests read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from tests.support.gateway import HTTP_PROVIDERS


@dataclass(frozen=True)
class Expected:
    """status, review: of the payment in the end. charges: entries of the provider's own book."""

    status: str
    charges: int
    review: str | None = None


PAID: Final = Expected("completed", 1)
NOT_RECEIVED: Final = Expected("failed", 0)
NOT_PAID: Final = Expected("failed", 0)
CANCELLED: Final = Expected("cancelled", 0)
WAITS_PAID: Final = Expected("processing", 1, "no_provider_id")
WAITS_UNPAID: Final = Expected("processing", 0, "no_provider_id")
OTHER_AMOUNT: Final = Expected("processing", 1, "amount_mismatch")

SILENT: Final = ("mpesa", "pesapal")
"""They assign an id in the answer and accept no inquiry by ours: without answer and callback the outcome is unknown.
Pesapal's order is sent again, which returns the first one; a push is not."""

Row = Mapping[str, Expected]


def _all(expected: Expected, **others: Expected) -> Row:
    return MappingProxyType(dict.fromkeys(HTTP_PROVIDERS, expected) | others)


TABLE: Final[Mapping[str, Row]] = MappingProxyType(
    {
        "answer dropped": _all(PAID),
        "answer and callback dropped": _all(PAID, mpesa=WAITS_PAID),
        "5xx after": _all(PAID),
        "5xx after, callback lost": _all(PAID, mpesa=WAITS_PAID),
        "5xx before, once": _all(PAID, mpesa=WAITS_UNPAID),  # sent again under the same reference
        "5xx before, always": _all(
            NOT_RECEIVED, mpesa=WAITS_UNPAID, pesapal=WAITS_UNPAID
        ),  # at the horizon, not before
        "answer too late": _all(PAID),
        "connection refused": _all(NOT_RECEIVED),
        "web killed before commit": _all(PAID),
        "worker killed before commit": _all(PAID),
        "callback lost": _all(PAID),
        "callback three times": _all(PAID),
        "callback before the answer": _all(PAID),
        "callbacks out of order": _all(PAID),
        # A push is for an exact amount: there only the callback lies, and Daraja's query decides.
        "wrong amount": _all(OTHER_AMOUNT, mpesa=PAID),
        # The customer never pays. Stripe's session expires by itself, as it reports; the other pages are closed.
        "forged callback": _all(NOT_PAID, stripe=CANCELLED),
    }
)

_LOST: Final = {"fault": "callback_lost", "operation": "callback"}

RULES: Final[Mapping[str, tuple[Mapping[str, Any], ...]]] = MappingProxyType(
    {
        "answer dropped": ({"fault": "drop", "times": 1},),
        "answer and callback dropped": ({"fault": "drop", "times": 1}, _LOST),
        "5xx after": ({"fault": "after", "times": 1},),
        "5xx after, callback lost": ({"fault": "after", "times": 1, "status": 503}, _LOST),
        "5xx before, once": ({"fault": "before", "times": 1},),
        "5xx before, always": ({"fault": "before", "status": 502},),
        "callback lost": (_LOST,),
        "callback three times": ({"fault": "callback_copies", "copies": 3},),
        "callback before the answer": ({"fault": "callback_early"},),
        "callbacks out of order": ({"fault": "callback_reorder"},),
        "wrong amount": ({"fault": "wrong_amount"},),
    }
)
"""How /sandbox/control makes each fault that is made there; `provider` is added."""


def rules(fault: str, provider: str) -> list[dict[str, Any]]:
    return [{**rule, "provider": provider} for rule in RULES[fault]]

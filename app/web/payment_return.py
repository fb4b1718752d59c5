"""`/payments/<id>/return`: where a customer's browser lands after a provider's page, when the merchant named no return address.

It shows the payment's status, and while it is open reloads every few seconds, without JavaScript. What providers
append to the address is ignored: a query string can be forged.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from flask import Response

from app.errors import TransactionNotFound
from app.http.blueprint import Blueprint
from app.services.payments.payer_status import PayerStatus, payer_status
from app.web.pages import render

blueprint = Blueprint("payment_return", __name__)

REFRESH_S: Final = 4
"""The page of an open payment is reloaded after so many seconds."""


@dataclass(frozen=True, slots=True)
class _Text:
    heading: str
    text: str


TEXTS: Final = MappingProxyType(
    {
        PayerStatus.COMPLETED: _Text("Thank you", "The payment is completed."),
        PayerStatus.OPEN: _Text(
            "Thank you", "The payment is being processed. This page is updated when it is done."
        ),
        PayerStatus.FAILED: _Text(
            "The payment has failed", "Nothing was paid. You can go back to the shop and try again."
        ),
        PayerStatus.REFUNDED: _Text("The payment was refunded", "The money is on its way back to you."),
    }
)
UNKNOWN: Final = _Text("There is no such payment", "Check the address, or ask the shop you came from.")


@blueprint.route("/payments/<uuid:payment_id>/return")
def show(payment_id: uuid.UUID) -> Response:
    """The page. 404, as a page, for an id that is no payment."""
    try:
        found = payer_status(payment_id)
    except TransactionNotFound:
        return _page(UNKNOWN, status=404)
    return _page(TEXTS[found], is_open=found is PayerStatus.OPEN)


def _page(content: _Text, *, status: int = 200, is_open: bool = False) -> Response:
    return render(
        "payment_return.html",
        status=status,
        heading=content.heading,
        text=content.text,
        refresh_s=REFRESH_S if is_open else None,
    )

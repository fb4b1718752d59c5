"""`/payments/<id>/return`: where a customer's browser lands after a provider's page, when the merchant named no return address.

It shows the payment's status, and while it is open reloads every few seconds, without JavaScript. What providers
append to the address is ignored: a query string can be forged.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Final

from flask import Response

from app.errors import TransactionNotFound
from app.http.blueprint import Blueprint
from app.services.payments.payer_status import PayerStatus, payer_status

blueprint = Blueprint("payment_return", __name__)

OWN: Final = Path(__file__).parent / "payment_return"

REFRESH_S: Final = 4
"""The page of an open payment is reloaded after so many seconds."""

CSS_MAX_AGE_S: Final = 3600


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


@blueprint.route("/payments/return.css")
def style() -> Response:
    """The page's look."""
    response = Response(_file("return.css"), mimetype="text/css")
    response.cache_control.public = True
    response.cache_control.max_age = CSS_MAX_AGE_S
    return response


def _page(content: _Text, *, status: int = 200, is_open: bool = False) -> Response:
    refresh = f'<meta http-equiv="refresh" content="{REFRESH_S}">' if is_open else ""
    text = Template(_file("page.html")).substitute(
        heading=escape(content.heading), text=escape(content.text), refresh=refresh
    )
    return Response(text, status, mimetype="text/html")


@cache
def _file(name: str) -> str:
    return (OWN / name).read_text(encoding="utf-8")

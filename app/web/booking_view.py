"""What the page of a booking says in each of its states, and the facts that it shows. No personal data is among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from app import parsing
from app.clock import iso_z
from app.models.payment import Payment
from app.money import Money
from app.services.bookings.page import BookingPage, PageState

PAYABLE: Final = frozenset({PageState.TO_PAY, PageState.FAILED})
"""There the form is."""

WAITING: Final = frozenset({PageState.AT_PROVIDER, PageState.UNCLEAR, PageState.CHECKED})
"""These end without the traveller's doing, so the page looks again."""

PAID: Final = frozenset({PageState.CONFIRMED, PageState.REFUNDED})


@dataclass(frozen=True, slots=True)
class Words:
    heading: str
    text: str


WORDS: Final = MappingProxyType(
    {
        PageState.TO_PAY: Words("Your booking is not paid yet", "Pay now to confirm it."),
        PageState.AT_PROVIDER: Words(
            "Waiting for your payment", "When it arrives, this page shows it. You may leave it open."
        ),
        PageState.UNCLEAR: Words(
            "We do not know yet whether you paid. Please do not pay again.",
            "We are finding out. This page shows it as soon as we know.",
        ),
        PageState.CHECKED: Words(
            "Your money has arrived and is being checked",
            "Please do not pay again. This page shows when the check is done.",
        ),
        PageState.CONFIRMED: Words("Your booking is confirmed", "Thank you."),
        PageState.FAILED: Words("The payment failed. Nothing was paid.", "You can try again."),
        PageState.CANCELLED: Words("The booking is cancelled", "Nothing was paid."),
        PageState.REFUNDED: Words(
            "Your payment was refunded", "The booking is cancelled. The money is on its way back to you."
        ),
    }
)

MAIL: Final = "A confirmation is sent by e-mail."
"""It goes to an address that the page does not show."""

TEMPLATES: Final = MappingProxyType(
    {
        PageState.TO_PAY: "bookings/form.html",
        PageState.FAILED: "bookings/form.html",
        PageState.AT_PROVIDER: "bookings/at_provider.html",
        PageState.CONFIRMED: "bookings/payment.html",
        PageState.REFUNDED: "bookings/payment.html",
    }
)
"""What a state shows beside its words."""


@dataclass(frozen=True, slots=True)
class Section:
    """A state's part of the page. A page that waits has those of all states that may come next, hidden."""

    state: PageState
    heading: str
    text: str
    template: str | None
    is_shown: bool
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A provider's page. host: with its port."""

    url: str
    host: str


def sections_of(page: BookingPage) -> list[Section]:
    """The shown one is the first."""
    states = [page.state]
    if page.state in WAITING:
        states += [state for state in PageState if state not in (page.state, PageState.TO_PAY)]
    return [_section(page, state) for state in states]


def provider_link(page: BookingPage) -> Link | None:
    """Where the traveller pays; None: there is no page, or its address is none that may be linked."""
    payment = page.booking.payment
    url = payment.payment_url if payment is not None else None
    try:
        return Link(url, urlsplit(url).netloc) if url and parsing.page_address(url) else None
    except ValueError:
        return None


def stay_of(page: BookingPage) -> dict[str, str]:
    """Label → value."""
    state = page.booking
    return {
        "Property": state.listing.title,
        "Location": state.listing.location,
        "Check-in": state.booking.check_in.isoformat(),
        "Check-out": state.booking.check_out.isoformat(),
        "Guests": str(state.booking.guests),
    }


def total_of(page: BookingPage) -> str:
    """`2304.00 ETB`."""
    return _written(page.booking.total_price)


def facts_of(page: BookingPage) -> dict[str, str]:
    """What is known of the payment, written for people; empty texts for what is not known."""
    payment = page.booking.payment
    if payment is None or page.state not in PAID:
        return dict.fromkeys(("payment_id", "transaction_id", "amount", "paid_at"), "")
    return {
        "payment_id": str(payment.id),
        "transaction_id": page.receipt or "",
        "amount": _written(Money(payment.amount, payment.currency)),
        "paid_at": f"{_paid_at(payment).astimezone(UTC):%Y-%m-%d %H:%M} UTC",
    }


def body_of(page: BookingPage) -> dict[str, Any]:
    """The same for the page's script."""
    payment = page.booking.payment
    body: dict[str, Any] = {"state": page.state, "payment_id": str(payment.id) if payment else None}
    if payment is None or page.state not in PAID:
        return body | dict.fromkeys(("transaction_id", "amount", "currency", "paid_at"))
    return body | {
        "transaction_id": page.receipt,
        "amount": str(Money(payment.amount, payment.currency)),
        "currency": payment.currency,
        "paid_at": iso_z(_paid_at(payment)),
    }


def _section(page: BookingPage, state: PageState) -> Section:
    words = WORDS[state]
    return Section(
        state=state,
        heading=words.heading,
        text=" ".join(_text(page, state)),
        template=TEMPLATES.get(state),
        is_shown=state is page.state,
        is_waiting=state in WAITING,
    )


def _text(page: BookingPage, state: PageState) -> Iterator[str]:
    yield WORDS[state].text
    payment = page.booking.payment
    payer = payment.customer_email if payment is not None else None
    if state is PageState.CONFIRMED and (payer or page.booking.traveller.email):
        yield MAIL


def _paid_at(payment: Payment) -> datetime:
    return payment.completed_at or payment.updated_at


def _written(money: Money) -> str:
    return f"{money} {money.currency}"

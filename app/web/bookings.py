"""`/bookings/<id>`: where a traveller pays a booking and sees what became of the payment. One address, every state.

Whoever has the booking's id may open it, so it has the stay and no personal data. A page that waits is updated by
static/booking.js; without scripts it reloads itself. No cookie is set.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from flask import Response, current_app, request, url_for
from marshmallow import ValidationError

from app.errors import GatewayError, IdempotencyConflict, PermissionDenied, UnsupportedMediaType
from app.http import forms
from app.http.blueprint import Blueprint
from app.http.fields import CARD_NUMBER
from app.http.idempotency import without_key
from app.http.payment_fields import Email, Phone, PrintedText, e164
from app.http.responses import respond
from app.http.schema import Schema
from app.services import payment_service
from app.services.bookings.errors import (
    BookingCancelled,
    BookingNotFound,
    BookingPaid,
    InitiationFailed,
    VerificationFailed,
)
from app.services.bookings.page import BookingPage, PageState, booking_page, refresh
from app.services.bookings.paying import Payer, initiate
from app.services.idempotency_service import Answer
from app.web import booking_view
from app.web.pages import PLAIN, PagePolicy, render

blueprint = Blueprint("booking_pages", __name__)

REFRESH_S: Final = 4
"""Without scripts a page that waits is loaded again after so many seconds."""

# Polling begins before Socket.IO's client has come.
LIVE: Final = PagePolicy(scripts=("booking.js", "socket.io.min.js"))
POLLING: Final = PagePolicy(scripts=("booking.js",))

NOT_BEGUN: Final = "The payment could not be begun just now. Nothing was paid. Please try again."
NOT_ASKED: Final = "The provider could not be asked just now. Nothing has changed."
NO_LINK: Final = "The payment page cannot be opened from here. Please ask the site where you booked."

PROBLEMS: Final = MappingProxyType(
    {
        "first_name": "Enter a first name of at most 100 characters.",
        "last_name": "Enter a last name of at most 100 characters.",
        "email": "Enter an e-mail address such as name@example.com.",
        "phone_number": "Enter a phone number with its country code, such as +251 911 234 567.",
    }
)
"""Field → what is wrong when it cannot be read."""

NO_CARDS: Final = "Do not enter a card number here. The payment page asks for it."


class PayerForm(Schema):
    first_name = PrintedText(max_length=100)
    last_name = PrintedText(max_length=100)
    email = Email()
    phone_number = Phone()


_FORM: Final = PayerForm()


@blueprint.route("/bookings/<uuid:booking_id>")
def show(booking_id: uuid.UUID) -> Response:
    """The page of the state as it is known here; the provider is not asked."""
    return _page(booking_page(booking_id))


@blueprint.route("/bookings/<uuid:booking_id>/state")
def get_state(booking_id: uuid.UUID) -> Response:
    """For the page's script."""
    return respond(booking_view.body_of(booking_page(booking_id)))


@blueprint.route("/bookings/<uuid:booking_id>/pay")
@blueprint.route("/bookings/<uuid:booking_id>/check")
def reopen(booking_id: uuid.UUID) -> Response:
    """For a browser that opens the address of a form's answer again."""
    return _to_page(booking_id)


@blueprint.route("/bookings/<uuid:booking_id>/pay", methods=["POST"])
def pay(booking_id: uuid.UUID) -> Response:
    """Begin the payment and go on to the provider's page; or to the page that exists already. In other states nothing is begun."""
    _require_own_page()
    page = booking_page(booking_id)
    if page.state is PageState.AT_PROVIDER:
        return _leaving_page(page)
    if page.state not in booking_view.PAYABLE:
        return _to_page(booking_id)
    entered = _entered()
    payer, problems = _payer(entered, page.booking.total_price.currency)
    if problems:
        kept = {name: value for name, value in entered.items() if problems.get(name) != NO_CARDS}
        return _page(page, status=400, entered=kept, problems=problems)
    return _begin(booking_id, payer, entered)


@blueprint.route("/bookings/<uuid:booking_id>/check", methods=["POST"])
def check(booking_id: uuid.UUID) -> Response:
    """Ask the provider. It is the traveller who asks, never a script: the question ends a try that has failed."""
    _require_own_page()
    try:
        refresh(booking_id, address=request.remote_addr)
    except VerificationFailed as error:
        return _page(booking_page(booking_id), status=error.http_status, alert=NOT_ASKED)
    return _to_page(booking_id)


@blueprint.errorhandler(GatewayError)
def refuse(error: GatewayError) -> Response:
    """Errors are read by people here."""
    is_unknown = isinstance(error, BookingNotFound)
    heading = "There is no such booking" if is_unknown else "This did not work"
    text = "Check the address, or ask the site where you booked." if is_unknown else error.message
    page = render(
        "bookings/refused.html", status=error.http_status, heading=heading, text=text, is_demo=_is_demo()
    )
    if error.retry_after_s is not None:
        page.headers["Retry-After"] = str(error.retry_after_s)
    return page


def _require_own_page() -> None:
    """Raises PermissionDenied, UnsupportedMediaType."""
    if not forms.is_from_own_page(request, may_hide_origin=True):
        raise PermissionDenied("This form belongs to another page. Open your booking again.")
    if request.mimetype not in ("", forms.TYPE):
        raise UnsupportedMediaType("Send the form as it is on the page.")


def _present(_: object) -> Answer:
    # The page is made of what is stored.
    return Answer({})


def _entered() -> dict[str, str]:
    """The form's fields that are not empty."""
    pairs = {name: value.strip() for name, value in forms.read_pairs(request)}
    return {name: pairs[name] for name in PROBLEMS if pairs.get(name)}


def _payer(entered: Mapping[str, str], currency: str) -> tuple[Payer, dict[str, str]]:
    """Who pays, and field → what is wrong with it. currency: says which country a national number is of."""
    wrong: dict[str, Any] = {}
    phone = None
    try:
        read = _FORM.load(entered)
    except ValidationError as error:
        read, wrong = error.valid_data, error.normalized_messages()  # type: ignore[no-untyped-call]
    if "phone_number" in read:
        try:
            phone = e164(read["phone_number"], currency)
        except ValidationError as error:
            wrong["phone_number"] = error.messages
    names = [read[name] for name in ("first_name", "last_name") if name in read]
    payer = Payer(email=read.get("email"), name=" ".join(names) or None, phone=phone)
    return payer, {name: _problem(name, wrong[name]) for name in PROBLEMS if name in wrong}


def _problem(name: str, messages: list[str]) -> str:
    return NO_CARDS if CARD_NUMBER in messages else PROBLEMS[name]


def _begin(booking_id: uuid.UUID, payer: Payer, entered: Mapping[str, str]) -> Response:
    status = InitiationFailed.http_status
    try:
        initiate(booking_id, payer, without_key(_present), address=request.remote_addr)
    except (BookingPaid, BookingCancelled):
        return _to_page(booking_id)
    except (InitiationFailed, IdempotencyConflict) as error:
        status = error.http_status
    page = booking_page(booking_id)
    if page.state is PageState.AT_PROVIDER:
        return _leaving_page(page)
    # That nothing was paid is said where it is true, in the states that have the form.
    alert = NOT_BEGUN if page.state in booking_view.PAYABLE else None
    return _page(page, status=status, entered=entered, alert=alert)


def _leaving_page(page: BookingPage) -> Response:
    """Goes on to the provider's page. It is no redirect: browsers hold the form's policy against a redirect to another site."""
    link = booking_view.provider_link(page)
    if link is None:
        return _page(page, status=InitiationFailed.http_status, alert=NO_LINK)
    return render("bookings/leaving.html", heading=f"Going on to {link.host}", link=link, is_demo=_is_demo())


def _page(
    page: BookingPage,
    *,
    status: int = 200,
    entered: Mapping[str, str] = MappingProxyType({}),
    problems: Mapping[str, str] = MappingProxyType({}),
    alert: str | None = None,
) -> Response:
    payment, is_waiting = page.booking.payment, page.state in booking_view.WAITING
    sections = booking_view.sections_of(page)
    return render(
        "bookings/booking.html",
        status=status,
        policy=_policy() if is_waiting else PLAIN,
        heading=sections[0].heading,
        text=sections[0].text,
        sections=sections,
        address=_address(page.booking.booking.id),
        refresh_s=REFRESH_S if is_waiting else None,
        booking_id=page.booking.booking.id,
        payment_id=payment.id if payment is not None else None,
        token=payment_service.changes_token(payment.id) if payment is not None else None,
        stay=booking_view.stay_of(page),
        total=booking_view.total_of(page),
        facts=booking_view.facts_of(page),
        link=booking_view.provider_link(page),
        entered=entered,
        problems=problems,
        alert=alert,
        is_demo=_is_demo(),
    )


def _policy() -> PagePolicy:
    """Whoever saves data gets no Socket.IO: it costs as much as thirty polls."""
    return POLLING if request.headers.get("Save-Data") == "on" else LIVE


def _to_page(booking_id: uuid.UUID) -> Response:
    return Response(status=303, headers={"Location": _address(booking_id)})


def _address(booking_id: uuid.UUID) -> str:
    return url_for("booking_pages.show", booking_id=booking_id)


def _is_demo() -> bool:
    return bool(current_app.config["IS_DEMO"])

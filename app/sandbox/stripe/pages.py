"""What customers see of Stripe: the hosted checkout, the bank's question, and the bank's desk for pending refunds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request

from app.sandbox.stripe import currencies
from app.sandbox.stripe.cards import BY_NUMBER, CARDS, Card
from app.sandbox.stripe.desk import Desk
from app.sandbox.stripe.errors import ApiError
from app.sandbox.stripe.objects import Document

_EXPIRY: Final = re.compile(r"^(0[1-9]|1[0-2]) ?/ ?([0-9]{2})$")
_CVC: Final = re.compile(r"^[0-9]{3,4}$")
TEST_MODE_ONLY: Final = "Your card was declined. Your request was in test mode, but used a non test card."


def add_routes(blueprint: Blueprint, desk: Desk) -> None:
    """Pages outside `/v1`."""
    pages: list[tuple[str, str, Callable[[Desk, str], Response], str]] = [
        ("/c/pay/<id>", "checkout", _checkout, "GET"),
        ("/c/pay/<id>", "pay", _pay, "POST"),
        ("/3ds/<id>", "challenge", _challenge, "GET"),
        ("/3ds/<id>", "answer_challenge", _answer, "POST"),
        ("/bank/<id>", "bank", _bank, "GET"),
        ("/bank/<id>", "settle", _settle, "POST"),
    ]
    for rule, name, show, method in pages:
        blueprint.add_url_rule(rule, name, _page(desk, show), methods=[method])


def _page(desk: Desk, show: Callable[[Desk, str], Response]) -> Callable[[str], Response]:
    def view(id: str) -> Response:
        try:
            return show(desk, id)
        except ApiError as error:
            return _rendered("refused.html", error.status, message=error.message)

    return view


def _rendered(name: str, status: int = 200, **values: Any) -> Response:
    return make_response(render_template(f"sandbox/stripe/{name}", **values), status)


def _amount(document: Document, name: str) -> str:
    return f"{currencies.major(document[name], document['currency'])} {document['currency'].upper()}"


# --- checkout


def _checkout(desk: Desk, id: str) -> Response:
    session = desk.sessions.get(id)
    desk.sandbox.customers.import_external_refunds("stripe", id)
    if session["status"] != "open":
        is_paid = session["status"] == "complete"
        return _rendered(
            "refused.html",
            heading="Paid" if is_paid else "Closed",
            message=f"This payment page is closed: the session is {session['status']}.",
            back=_success_url(session) if is_paid else session["cancel_url"],
        )
    return _form(session, message=request.args.get("message", ""))


def _form(session: Document, *, message: str, status: int = 200) -> Response:
    return _rendered(
        "checkout.html",
        status,
        session=session,
        items=session["_line_items"],
        amount=_amount(session, "amount_total"),
        cards=CARDS,
        message=message,
    )


def _pay(desk: Desk, id: str) -> Response:
    session = desk.sessions.get(id)
    card, problem = _read_card()
    if card is None:
        return _form(session, message=problem, status=402 if problem == TEST_MODE_ONLY else 400)
    attempt = desk.sessions.pay(id, card)
    if attempt.decline is not None:
        return _form(session, message=attempt.decline.message, status=402)
    if attempt.intent["status"] == "requires_action":
        return _see(f"/stripe/3ds/{attempt.intent['id']}")
    return _see(_success_url(session))


def _read_card() -> tuple[Card | None, str]:
    """The test card on the form, or why there is none."""
    number = re.sub(r"[ -]", "", request.form.get("number", ""))
    if not number.isdigit() or not 12 <= len(number) <= 19:
        return None, "Your card number is invalid."
    if not _EXPIRY.match(request.form.get("expiry", "").strip()):
        return None, "Your card's expiration date is invalid: write MM/YY."
    if not _CVC.match(request.form.get("cvc", "").strip()):
        return None, "Your card's security code is invalid."
    card = BY_NUMBER.get(number)
    return card, "" if card else TEST_MODE_ONLY


def _success_url(session: Document) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


# --- 3-D Secure


def _challenge(desk: Desk, id: str) -> Response:
    intent = desk.intents.get(id)
    desk.sandbox.customers.import_external_refunds("stripe", id)
    if intent["status"] != "requires_action":
        return _rendered("refused.html", message="The bank asks nothing about this payment.")
    return _rendered("challenge.html", intent=intent, amount=_amount(intent, "amount"))


def _answer(desk: Desk, id: str) -> Response:
    is_passed = request.form.get("answer") == "complete"
    intent = desk.authenticate(id, is_passed=is_passed)
    if intent["_session"] is not None:
        if is_passed:
            return _see(_success_url(desk.sessions.get(intent["_session"])))
        message = intent["last_payment_error"]["message"]
        return _see(f"/stripe/c/pay/{intent['_session']}?{urlencode({'message': message})}")
    if intent["_return_url"] is None:
        return _rendered("done.html", message=f"The payment is now {intent['status']}.")
    return _see(_with_query(intent["_return_url"], intent, is_passed=is_passed))


def _with_query(url: str, intent: Document, *, is_passed: bool) -> str:
    parts = urlsplit(url)
    query = urlencode({
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if is_passed else "failed",
    })  # fmt: skip
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query)))))


# --- the bank's desk


def _bank(desk: Desk, id: str) -> Response:
    refund = desk.refunds.get(id)
    return _rendered("bank.html", refund=refund, amount=_amount(refund, "amount"))


def _settle(desk: Desk, id: str) -> Response:
    is_accepted = request.form.get("answer") == "accept"
    if desk.refunds.get(id)["status"] == "succeeded" and not is_accepted:
        refund = desk.refunds.come_back(id)
    else:
        refund = desk.refunds.settle(id, is_accepted=is_accepted)
    return _rendered("done.html", message=f"The refund is now {refund['status']}.")


def _see(url: str) -> Response:
    response = redirect(url, 303)
    assert isinstance(response, Response)
    return response

"""Stripe's pages: the hosted checkout, the bank's 3-D Secure challenge, and the bank's decisions about refunds and disputes."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from flask import Response, request

from app.sandbox.http import Refusal, see_other, with_query
from app.sandbox.pages import Page, render
from app.sandbox.store import Document
from app.sandbox.stripe import currencies
from app.sandbox.stripe.cards import BY_NUMBER, CARDS, Card
from app.sandbox.stripe.disputes import Disputes
from app.sandbox.stripe.errors import ApiError
from app.sandbox.stripe.refunds import Refunds
from app.sandbox.stripe.simulator import Simulator

_EXPIRY: Final = re.compile(r"^(0[1-9]|1[0-2]) ?/ ?([0-9]{2})$")
_CVC: Final = re.compile(r"^[0-9]{3,4}$")
TEST_MODE_ONLY: Final = "Your card was declined. Your request was in test mode, but used a non test card."


def pages(simulator: Simulator) -> list[Page]:
    """(method, path, name, function)"""
    checkout, challenge = Checkout(simulator), Challenge(simulator)
    refund_page, dispute_page = RefundPage(simulator.refunds), DisputePage(simulator.disputes)
    return [
        Page("GET", "/c/pay/<id>", "checkout", checkout.show),
        Page("POST", "/c/pay/<id>", "pay", checkout.pay),
        Page("GET", "/3ds/<id>", "challenge", challenge.show),
        Page("POST", "/3ds/<id>", "answer_challenge", challenge.answer),
        Page("GET", "/bank/<id>", "bank", refund_page.show),
        Page("POST", "/bank/<id>", "decide_refund", refund_page.decide),
        Page("GET", "/disputes/<id>", "dispute", dispute_page.show),
        Page("POST", "/disputes/<id>", "decide_dispute", dispute_page.decide),
    ]


def refused(refusal: Refusal) -> Response:
    """The page in place of an error."""
    status = refusal.status if isinstance(refusal, ApiError) else 400
    return _message(str(refusal), status=status)


class Checkout:
    """The page of a Checkout Session."""

    def __init__(self, simulator: Simulator) -> None:
        self._customers = simulator.sandbox.customers
        self._sessions = simulator.sessions

    def show(self, id: str) -> Response:
        """Show the page. The user who opened it decides, so the simulated customer does not act."""
        session = self._sessions.get(id)
        self._customers.cancel("stripe", id)
        if session["status"] == "open":
            return self._form(session, message=request.args.get("message", ""))
        is_paid = session["status"] == "complete"
        return _message(
            f"This payment page is closed: the session is {session['status']}.",
            heading="Paid" if is_paid else "Closed",
            back=_success_url(session) if is_paid else session["cancel_url"],
        )

    def pay(self, id: str) -> Response:
        """Pay with the card on the form."""
        session = self._sessions.get(id)
        card, problem = _read_card()
        if card is None:
            return self._form(session, 402 if problem == TEST_MODE_ONLY else 400, message=problem)
        attempt = self._sessions.pay(id, card)
        if attempt.decline is not None:
            return self._form(session, 402, message=attempt.decline.message)
        if attempt.intent["status"] == "requires_action":
            return see_other(f"/stripe/3ds/{attempt.intent['id']}")
        return see_other(_success_url(session))

    def _form(self, session: Document, status: int = 200, *, message: str) -> Response:
        return render(
            "stripe/checkout.html",
            status,
            session=session,
            items=session["_line_items"],
            amount=_amount(session, "amount_total"),
            cards=CARDS,
            message=message,
        )


class Challenge:
    """The bank's 3-D Secure challenge."""

    def __init__(self, simulator: Simulator) -> None:
        self._customers = simulator.sandbox.customers
        self._customer = simulator.customer
        self._intents = simulator.intents
        self._sessions = simulator.sessions

    def show(self, id: str) -> Response:
        """Show the challenge. The user who opened it decides, so the simulated customer does not act."""
        intent = self._intents.get(id)
        self._customers.cancel("stripe", id)
        if intent["status"] != "requires_action":
            return _message("The bank has no challenge for this payment.")
        return render("stripe/challenge.html", intent=intent, amount=_amount(intent, "amount"))

    def answer(self, id: str) -> Response:
        """Pass or fail the challenge, and redirect to the merchant or the checkout page."""
        is_passed = request.form.get("answer") == "complete"
        intent = self._customer.authenticate(id, is_passed=is_passed)
        if intent["_session"] is not None:
            if is_passed:
                return see_other(_success_url(self._sessions.get(intent["_session"])))
            message = urlencode({"message": intent["last_payment_error"]["message"]})
            return see_other(f"/stripe/c/pay/{intent['_session']}?{message}")
        if intent["_return_url"] is None:
            return render("stripe/done.html", message=f"The payment is now {intent['status']}.")
        parameters = {
            "payment_intent": intent["id"],
            "payment_intent_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if is_passed else "failed",
        }
        return see_other(with_query(intent["_return_url"], parameters))


class RefundPage:
    """The page where the customer's bank accepts or returns a refund."""

    def __init__(self, refunds: Refunds) -> None:
        self._refunds = refunds

    def show(self, id: str) -> Response:
        """Show the refund."""
        refund = self._refunds.get(id)
        return render("stripe/bank.html", refund=refund, amount=_amount(refund, "amount"))

    def decide(self, id: str) -> Response:
        """Accept or return the refund."""
        is_accepted = request.form.get("answer") == "accept"
        if self._refunds.get(id)["status"] == "succeeded" and not is_accepted:
            refund = self._refunds.mark_returned(id)
        else:
            refund = self._refunds.settle(id, is_accepted=is_accepted)
        return render("stripe/done.html", message=f"The refund is now {refund['status']}.")


class DisputePage:
    """The page where the cardholder's bank decides a dispute."""

    def __init__(self, disputes: Disputes) -> None:
        self._disputes = disputes

    def show(self, id: str) -> Response:
        """Show the dispute."""
        dispute = self._disputes.get(id)
        return render("stripe/dispute.html", dispute=dispute, amount=_amount(dispute, "amount"))

    def decide(self, id: str) -> Response:
        """Decide it for the merchant or the customer, or turn an inquiry into a dispute."""
        dispute = self._disputes.decide(id, request.form.get("answer", ""))
        return render("stripe/done.html", message=f"The dispute is now {dispute['status']}.")


def _read_card() -> tuple[Card | None, str]:
    """The test card on the form, or None and the problem."""
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


def _amount(document: Document, name: str) -> str:
    return f"{currencies.major(document[name], document['currency'])} {document['currency'].upper()}"


def _message(
    message: str, *, heading: str = "Stripe", back: str | None = None, status: int = 200
) -> Response:
    values = {"heading": heading, "message": message, "back": back}
    return render("sandbox/message.html", status, title="Stripe", back_to="shop", **values)

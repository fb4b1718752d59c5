"""Chapa's hosted checkout page: pay with a wallet and its code, pay by card, or cancel. Then it shows the outcome."""

from __future__ import annotations

from typing import Final

from flask import Response, abort, request, url_for

from app.sandbox.chapa.payments import OPEN, Payments
from app.sandbox.chapa.simulator import Simulator
from app.sandbox.core import Sandbox
from app.sandbox.http import see_other
from app.sandbox.pages import Page, render
from app.sandbox.store import Document

OTP: Final = "12345"

WALLETS: Final = {
    "telebirr": "telebirr",
    "cbebirr": "CBEBirr",
    "ebirr": "ebirr",
    "awash": "Awash Birr",
    "amole": "Amole",
    "mpesa": "M-Pesa",
}
MPESA_NUMBERS: Final = ("0700123456", "0700112233", "0700881111")
OTHER_NUMBERS: Final = ("0900123456", "0900112233", "0900881111")

CARDS: Final = {
    "4242424242424242": None,
    "4000000000009995": "insufficient_funds",
    "4000000000000002": "declined",
}
"""Published test cards → the reason why the payment fails; None when it succeeds. Other cards are declined."""

CANCELLED: Final = "cancelled"
"""The user's own choice among the reasons."""

REASONS: Final = {
    CANCELLED: "The payment was cancelled.",
    "closed": "The merchant has cancelled the payment.",
    "insufficient_funds": "There is not enough money in the account.",
    "declined": "The card was declined.",
    "invalid_number": "The number is not one of the test numbers that succeed.",
}


class Checkout:
    """The pages of one payment, at an unguessable token. They work without JavaScript."""

    def __init__(self, sandbox: Sandbox, payments: Payments) -> None:
        self._sandbox = sandbox
        self._payments = payments

    def show(self, token: str) -> Response:
        """Show the page. The user who opened it decides, so the simulated customer does not act."""
        payment = self._payment(token)
        if payment["status"] in OPEN:
            self._sandbox.customers.cancel("chapa", payment["tx_ref"])
        return self._page(payment)

    def wallet(self, token: str) -> Response:
        """Ask for the code sent to the phone, unless the number is one that fails."""
        payment = self._payment(token)
        method, phone = request.form.get("method", ""), request.form.get("phone", "").strip()
        if method not in WALLETS or payment["currency"] != "ETB":
            return self._page(payment, 400, problem="Choose one of the wallets.")
        if phone not in (MPESA_NUMBERS if method == "mpesa" else OTHER_NUMBERS):
            self._payments.fail(payment["tx_ref"], method=method, reason="invalid_number")
            return self._next_page(token)

        def ask_for_code(payment: Document) -> None:
            if payment["status"] in OPEN:
                payment["step"] = {"method": method, "mobile": phone}

        self._sandbox.store.update("chapa", "payment", payment["tx_ref"], ask_for_code)
        return self._next_page(token)

    def otp(self, token: str) -> Response:
        """Pay with the wallet when the code is right."""
        payment = self._payment(token)
        step = payment["step"]
        if step is None:
            return self._next_page(token)
        if request.form.get("otp", "").strip() != OTP:
            return self._page(payment, 400, problem="That code is not right.")
        self._payments.pay(payment["tx_ref"], method=step["method"], mobile=step["mobile"])
        return self._next_page(token)

    def card(self, token: str) -> Response:
        """Pay by card, or fail with the reason of a test card."""
        payment = self._payment(token)
        number = "".join(request.form.get("number", "").split())
        if (reason := CARDS.get(number, "declined")) is None:
            self._payments.pay(payment["tx_ref"], method="card", mobile=None)
        else:
            self._payments.fail(payment["tx_ref"], method="card", reason=reason)
        return self._next_page(token)

    def cancel(self, token: str) -> Response:
        """Cancel the payment."""
        payment = self._payment(token)
        self._payments.fail(payment["tx_ref"], method=None, reason=CANCELLED)
        return self._next_page(token)

    def _payment(self, token: str) -> Document:
        found = self._sandbox.store.find("chapa", "payment", checkout=token)
        if not found:
            abort(Response("No such payment.\n", 404, mimetype="text/plain"))
        return found[0]

    def _page(self, payment: Document, status: int = 200, *, problem: str | None = None) -> Response:
        reason = REASONS.get(payment["failure"] or "", "The payment failed.")
        if payment["status"] not in OPEN:
            return render("chapa/ended.html", status, payment=payment, reason=reason)
        return render(
            "chapa/code.html" if payment["step"] else "chapa/checkout.html",
            status,
            payment=payment,
            wallets=WALLETS if payment["currency"] == "ETB" else {},
            numbers={"mpesa": MPESA_NUMBERS[0], "others": OTHER_NUMBERS[0]},
            cards=CARDS,
            code=OTP,
            problem=problem or (reason if payment["status"] == "failed" else None),
        )

    def _next_page(self, token: str) -> Response:
        """Go to the merchant once the user is done, otherwise to the page again."""
        payment = self._payment(token)
        is_done = payment["status"] not in OPEN or payment["failure"] == CANCELLED
        if is_done and payment["return_url"]:
            return see_other(payment["return_url"])
        return see_other(url_for("chapa.checkout", token=token))


def pages(simulator: Simulator) -> list[Page]:
    """(method, path, name, function)"""
    checkout = Checkout(simulator.sandbox, simulator.payments)
    path = "/checkout/payment/<token>"
    return [
        Page("GET", path, "checkout", checkout.show),
        Page("POST", f"{path}/wallet", "checkout_wallet", checkout.wallet),
        Page("POST", f"{path}/otp", "checkout_otp", checkout.otp),
        Page("POST", f"{path}/card", "checkout_card", checkout.card),
        Page("POST", f"{path}/cancel", "checkout_cancel", checkout.cancel),
    ]

"""Chapa's hosted page: a wallet with its code, a card, or cancel. A payment that has ended shows its end."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.sandbox.chapa.payments import Payments
from app.sandbox.core import Sandbox

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
"""Published test cards → why the payment fails; None: it succeeds. Any other card is declined."""

REASONS: Final = {
    "cancelled": "The payment was cancelled.",
    "closed": "The merchant has taken the payment back.",
    "insufficient_funds": "There is not enough money in the account.",
    "declined": "The card was declined.",
    "invalid_number": "The number is not one of the test numbers that succeed.",
}

Document = dict[str, Any]


class Checkout:
    """Pages by the payment's unguessable token. They work without JavaScript."""

    def __init__(self, sandbox: Sandbox, payments: Payments) -> None:
        self._sandbox = sandbox
        self._payments = payments

    def add_to(self, blueprint: Blueprint) -> None:
        path = "/checkout/payment/<token>"
        blueprint.add_url_rule(path, "checkout", view_func=self.show)
        blueprint.add_url_rule(f"{path}/wallet", "checkout_wallet", view_func=self.wallet, methods=["POST"])
        blueprint.add_url_rule(f"{path}/otp", "checkout_otp", view_func=self.otp, methods=["POST"])
        blueprint.add_url_rule(f"{path}/card", "checkout_card", view_func=self.card, methods=["POST"])
        blueprint.add_url_rule(f"{path}/cancel", "checkout_cancel", view_func=self.cancel, methods=["POST"])

    def show(self, token: str) -> str:
        """Whoever opens the page pays himself: the simulated customer steps back."""
        payment = self._payment(token)
        if payment["status"] == "pending":
            self._sandbox.customers.import_external_refunds("chapa", payment["tx_ref"])
        return self._page(payment)

    def wallet(self, token: str) -> AnyResponse | tuple[str, int]:
        """Ask for the code sent to the phone, unless the number is one that fails."""
        payment = self._payment(token)
        method, phone = request.form.get("method", ""), request.form.get("phone", "").strip()
        if method not in WALLETS or payment["currency"] != "ETB":
            return self._page(payment, problem="Choose one of the wallets."), 400
        if phone not in (MPESA_NUMBERS if method == "mpesa" else OTHER_NUMBERS):
            self._payments.fail(payment["tx_ref"], method=method, reason="invalid_number")
            return self._to_page(token)

        def ask_for_code(kept: Document) -> None:
            if kept["status"] == "pending":
                kept["step"] = {"method": method, "mobile": phone}

        self._sandbox.store.update("chapa", "payment", payment["tx_ref"], ask_for_code)
        return self._to_page(token)

    def otp(self, token: str) -> AnyResponse | tuple[str, int]:
        payment = self._payment(token)
        step = payment["step"]
        if step is None:
            return self._to_page(token)
        if request.form.get("otp", "").strip() != OTP:
            return self._page(payment, problem="That code is not right."), 400
        self._payments.pay(payment["tx_ref"], method=step["method"], mobile=step["mobile"])
        return self._to_page(token)

    def card(self, token: str) -> AnyResponse:
        payment = self._payment(token)
        number = "".join(request.form.get("number", "").split())
        if (reason := CARDS.get(number, "declined")) is None:
            self._payments.pay(payment["tx_ref"], method="card", mobile=None)
        else:
            self._payments.fail(payment["tx_ref"], method="card", reason=reason)
        return self._to_page(token)

    def cancel(self, token: str) -> AnyResponse:
        payment = self._payment(token)
        self._payments.fail(payment["tx_ref"], method=None, reason="cancelled")
        return self._to_page(token)

    def _payment(self, token: str) -> Document:
        found = self._sandbox.store.find("chapa", "payment", checkout=token)
        if not found:
            abort(Response("No such payment.\n", 404, mimetype="text/plain"))
        return found[0]

    def _page(self, payment: Document, *, problem: str | None = None) -> str:
        if payment["status"] != "pending":
            reason = REASONS.get(payment["failure"] or "", "The payment failed.")
            return render_template("chapa/ended.html", payment=payment, reason=reason)
        template = "chapa/code.html" if payment["step"] else "chapa/checkout.html"
        numbers = {"mpesa": MPESA_NUMBERS[0], "others": OTHER_NUMBERS[0]}
        return render_template(
            template,
            payment=payment,
            wallets=WALLETS if payment["currency"] == "ETB" else {},
            numbers=numbers,
            cards=CARDS,
            code=OTP,
            problem=problem,
        )

    def _to_page(self, token: str) -> AnyResponse:
        """On to where the payment's state leads: back to the merchant once it has ended, else the page again."""
        payment = self._payment(token)
        if payment["status"] != "pending" and payment["return_url"]:
            return redirect(payment["return_url"], 303)
        return redirect(url_for("chapa.checkout", token=token), 303)

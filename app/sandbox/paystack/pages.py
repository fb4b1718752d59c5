"""Paystack's hosted checkout page: pay by card with its steps, by mobile money or from a bank, or cancel."""

from __future__ import annotations

from typing import Final

from flask import Response, abort, request, url_for

from app.sandbox.core import Sandbox
from app.sandbox.http import see_other, with_query
from app.sandbox.pages import Page, render
from app.sandbox.paystack.cards import CARDS, WALLETS, Card
from app.sandbox.paystack.objects import metadata_of
from app.sandbox.paystack.payments import Payments
from app.sandbox.paystack.replies import is_url
from app.sandbox.paystack.simulator import Simulator
from app.sandbox.store import Document

CHANNELS: Final = ("card", "mobile_money", "bank")
ENDED: Final = ("success", "reversed")

QUESTIONS: Final = {
    "pin": "Card PIN",
    "phone": "Phone number of the account",
    "otp": "One-time code",
    "bank": "Your bank asks: is it you?",
}


class Checkout:
    """The pages of one transaction, at its access code. They work without JavaScript."""

    def __init__(self, sandbox: Sandbox, payments: Payments) -> None:
        self._sandbox = sandbox
        self._payments = payments

    def show(self, code: str) -> Response:
        """Show the page. The user who opened it decides, so the simulated customer does not act."""
        transaction = self._transaction(code)
        if transaction["status"] not in ENDED:
            self._payments.open_page(transaction["reference"])
        return self._page(transaction)

    def card(self, code: str) -> Response:
        """Pay by card, or ask the first question of the card."""
        transaction = self._transaction(code)
        number = "".join(request.form.get("number", "").split())
        card = CARDS.get(number, Card(number, failure="Declined"))
        if card.cvv is not None and request.form.get("cvv", "").strip() != card.cvv:
            return self._page(transaction, 400, problem="The CVV is not right.")
        if card.steps:
            self._ask(
                transaction["reference"], {"channel": "card", "card": number, "questions": list(card.steps)}
            )
            return self._show_again(code)
        self._finish_card(transaction["reference"], card)
        return self._next_page(code)

    def step(self, code: str) -> Response:
        """The answer to one question of a card or wallet. A wrong PIN fails; a wrong code can be entered again."""
        transaction = self._transaction(code)
        step = transaction["step"]
        if step is None or transaction["status"] in ENDED:
            return self._show_again(code)
        question, typed = step["questions"][0], request.form.get("answer", "").strip()
        expected = self._expected(transaction, question)
        if expected is not None and typed != expected:
            if question != "pin":
                return self._page(transaction, 400, problem="That is not right.")
            self._payments.fail(transaction["reference"], "Incorrect PIN", channel="card")
            return self._show_again(code)
        if len(step["questions"]) > 1:
            self._ask(transaction["reference"], step | {"questions": step["questions"][1:]})
            return self._show_again(code)
        if step["channel"] == "card":
            self._finish_card(transaction["reference"], CARDS[step["card"]])
        else:
            self._payments.pay_by_wallet(transaction["reference"], transaction["currency"])
        return self._next_page(code)

    def wallet(self, code: str) -> Response:
        """Pay by mobile money, or ask for the wallet's code."""
        transaction = self._transaction(code)
        wallet = WALLETS.get(transaction["currency"])
        if wallet is None:
            return self._page(transaction, 400, problem="There is no mobile money in this currency.")
        if not wallet.is_number(request.form.get("phone", "")):
            self._payments.fail(transaction["reference"], "Declined", channel="mobile_money")
            return self._show_again(code)
        if wallet.otp:
            self._ask(
                transaction["reference"], {"channel": "mobile_money", "card": None, "questions": ["otp"]}
            )
            return self._show_again(code)
        self._payments.pay_by_wallet(transaction["reference"], transaction["currency"])
        return self._next_page(code)

    def bank(self, code: str) -> Response:
        """Pay from the test bank."""
        self._payments.pay_by_bank(self._transaction(code)["reference"])
        return self._next_page(code)

    def cancel(self, code: str) -> Response:
        """Leave the page: to `metadata.cancel_action` when the merchant sent one."""
        transaction = self._transaction(code)
        self._payments.leave_page(transaction["reference"])
        cancel_url = metadata_of(transaction).get("cancel_action")
        if transaction["status"] not in ENDED and is_url(cancel_url):
            return see_other(str(cancel_url))
        return render("paystack/left.html", transaction=transaction)

    def _expected(self, transaction: Document, name: str) -> str | None:
        """The right answer to a question; None when every answer is right."""
        step = transaction["step"]
        if step["channel"] == "card":
            return CARDS[step["card"]].expected.get(name)
        return WALLETS[transaction["currency"]].otp

    def _finish_card(self, reference: str, card: Card) -> None:
        if card.failure:
            self._payments.fail(reference, card.failure, channel="card")
        else:
            self._payments.pay_by_card(reference, card)

    def _ask(self, reference: str, step: Document) -> None:
        def ask(transaction: Document) -> None:
            if transaction["status"] not in ENDED:
                transaction["step"] = step

        self._sandbox.store.update("paystack", "transaction", reference, ask)

    def _transaction(self, code: str) -> Document:
        found = self._sandbox.store.find("paystack", "transaction", access_code=code)
        if not found:
            abort(Response("No such payment.\n", 404, mimetype="text/plain"))
        return found[0]

    def _page(self, transaction: Document, status: int = 200, *, problem: str | None = None) -> Response:
        if transaction["status"] in ENDED:
            return render(
                "paystack/paid.html", status, transaction=transaction, back=_return_url(transaction)
            )
        if transaction["step"]:
            question = transaction["step"]["questions"][0]
            return render(
                "paystack/step.html",
                status,
                transaction=transaction,
                name=question,
                question=QUESTIONS[question],
                hint=self._expected(transaction, question),
                problem=problem,
            )
        return self._checkout_page(transaction, status, problem)

    def _checkout_page(self, transaction: Document, status: int, problem: str | None) -> Response:
        wallet = WALLETS.get(transaction["currency"])
        channels = [
            name for name in CHANNELS if not transaction["channels"] or name in transaction["channels"]
        ]
        if wallet is None and "mobile_money" in channels:
            channels.remove("mobile_money")
        if problem is None and transaction["status"] == "failed":
            problem = f"{transaction['gateway_response']}. You can try again."
        return render(
            "paystack/checkout.html",
            status,
            transaction=transaction,
            channels=channels or ["card"],
            wallet=wallet,
            cards=CARDS.values(),
            problem=problem,
        )

    def _show_again(self, code: str) -> Response:
        return see_other(url_for("paystack.checkout", code=code))

    def _next_page(self, code: str) -> Response:
        """Go to the merchant once the payment is made, otherwise to the page again."""
        transaction = self._transaction(code)
        back = _return_url(transaction) if transaction["status"] in ENDED else None
        return see_other(back) if back else self._show_again(code)


def _return_url(transaction: Document) -> str | None:
    """callback_url with `trxref` and `reference`; None when the merchant sent none."""
    url = transaction["callback_url"]
    names = {"trxref": transaction["reference"], "reference": transaction["reference"]}
    return with_query(url, names) if url else None


def pages(simulator: Simulator) -> list[Page]:
    """(method, path, name, function)"""
    checkout = Checkout(simulator.sandbox, simulator.payments)
    path = "/checkout/<code>"
    return [
        Page("GET", path, "checkout", checkout.show),
        Page("POST", f"{path}/card", "checkout_card", checkout.card),
        Page("POST", f"{path}/step", "checkout_step", checkout.step),
        Page("POST", f"{path}/wallet", "checkout_wallet", checkout.wallet),
        Page("POST", f"{path}/bank", "checkout_bank", checkout.bank),
        Page("POST", f"{path}/cancel", "checkout_cancel", checkout.cancel),
    ]

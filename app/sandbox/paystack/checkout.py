"""Paystack's hosted page: cards with their steps, mobile money, a bank, or walk away."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.sandbox.core import Sandbox
from app.sandbox.paystack import answers, shapes
from app.sandbox.paystack.cards import CARDS, WALLETS, Card
from app.sandbox.paystack.paying import Paying

CHANNELS: Final = ("card", "mobile_money", "bank")
ENDED: Final = ("success", "reversed")

QUESTIONS: Final = {
    "pin": "Card PIN",
    "phone": "Phone number of the account",
    "otp": "One-time code",
    "bank": "Your bank asks: is it you?",
}

Document = dict[str, Any]
Answer = AnyResponse | tuple[str, int]


class Checkout:
    """Pages by the transaction's access code. They work without JavaScript."""

    def __init__(self, sandbox: Sandbox, paying: Paying) -> None:
        self._sandbox = sandbox
        self._paying = paying

    def add_to(self, blueprint: Blueprint) -> None:
        path = "/checkout/<code>"
        blueprint.add_url_rule(path, "checkout", view_func=self.show)
        for name, view in (
            ("card", self.card),
            ("step", self.step),
            ("wallet", self.wallet),
            ("bank", self.bank),
            ("cancel", self.cancel),
        ):
            blueprint.add_url_rule(f"{path}/{name}", f"checkout_{name}", view_func=view, methods=["POST"])

    def show(self, code: str) -> str:
        """Whoever opens the page pays himself: the simulated customer steps back."""
        kept = self._transaction(code)
        if kept["status"] not in ENDED:
            self._paying.open_page(kept["reference"])
        return self._page(kept)

    def card(self, code: str) -> Answer:
        kept = self._transaction(code)
        number = "".join(request.form.get("number", "").split())
        card = CARDS.get(number, Card(number, failure="Declined"))
        if card.cvv is not None and request.form.get("cvv", "").strip() != card.cvv:
            return self._page(kept, problem="The CVV is not right."), 400
        if card.steps:
            self._ask(kept["reference"], {"channel": "card", "card": number, "left": list(card.steps)})
            return self._to_page(code)
        self._finish_card(kept["reference"], card)
        return self._onward(code)

    def step(self, code: str) -> Answer:
        """One answer of those that a card or a wallet asks for. A wrong PIN fails, a wrong code may be typed again."""
        kept = self._transaction(code)
        asked = kept["step"]
        if asked is None or kept["status"] in ENDED:
            return self._to_page(code)
        name, typed = asked["left"][0], request.form.get("answer", "").strip()
        expected = self._expected(kept, name)
        if expected is not None and typed != expected:
            if name != "pin":
                return self._page(kept, problem="That is not right."), 400
            self._paying.fail(kept["reference"], "Incorrect PIN", channel="card")
            return self._to_page(code)
        if len(asked["left"]) > 1:
            self._ask(kept["reference"], asked | {"left": asked["left"][1:]})
            return self._to_page(code)
        if asked["channel"] == "card":
            self._finish_card(kept["reference"], CARDS[asked["card"]])
        else:
            self._paying.by_wallet(kept["reference"], kept["currency"])
        return self._onward(code)

    def wallet(self, code: str) -> Answer:
        kept = self._transaction(code)
        wallet = WALLETS.get(kept["currency"])
        if wallet is None:
            return self._page(kept, problem="There is no mobile money in this currency."), 400
        if not wallet.is_number(request.form.get("phone", "")):
            self._paying.fail(kept["reference"], "Declined", channel="mobile_money")
            return self._to_page(code)
        if wallet.otp:
            self._ask(kept["reference"], {"channel": "mobile_money", "card": None, "left": ["otp"]})
            return self._to_page(code)
        self._paying.by_wallet(kept["reference"], kept["currency"])
        return self._onward(code)

    def bank(self, code: str) -> Answer:
        self._paying.by_bank(self._transaction(code)["reference"])
        return self._onward(code)

    def cancel(self, code: str) -> Answer:
        """Back to `metadata.cancel_action` where there is one; else nowhere."""
        kept = self._transaction(code)
        self._paying.walk_away(kept["reference"])
        where = shapes.metadata_of(kept).get("cancel_action")
        if kept["status"] not in ENDED and answers.is_url(where):
            return redirect(str(where), 303)
        return render_template("paystack/left.html", kept=kept), 200

    def _expected(self, kept: Document, name: str) -> str | None:
        """The right answer to a question; None when any will do."""
        asked = kept["step"]
        if asked["channel"] == "card":
            return CARDS[asked["card"]].expected.get(name)
        return WALLETS[kept["currency"]].otp

    def _finish_card(self, reference: str, card: Card) -> None:
        if card.failure:
            self._paying.fail(reference, card.failure, channel="card")
        else:
            self._paying.by_card(reference, card)

    def _ask(self, reference: str, step: Document) -> None:
        def ask(kept: Document) -> None:
            if kept["status"] not in ENDED:
                kept["step"] = step

        self._sandbox.store.update("paystack", "transaction", reference, ask)

    def _transaction(self, code: str) -> Document:
        found = self._sandbox.store.find("paystack", "transaction", access_code=code)
        if not found:
            abort(Response("No such payment.\n", 404, mimetype="text/plain"))
        return found[0]

    def _page(self, kept: Document, *, problem: str | None = None) -> str:
        if kept["status"] in ENDED:
            return render_template("paystack/paid.html", kept=kept, back=_way_back(kept))
        if kept["step"]:
            name = kept["step"]["left"][0]
            hint = self._expected(kept, name)
            return render_template(
                "paystack/step.html",
                kept=kept,
                name=name,
                question=QUESTIONS[name],
                hint=hint,
                problem=problem,
            )
        wallet = WALLETS.get(kept["currency"])
        chosen = [name for name in CHANNELS if not kept["channels"] or name in kept["channels"]]
        if wallet is None and "mobile_money" in chosen:
            chosen.remove("mobile_money")
        if problem is None and kept["status"] == "failed":
            problem = f"{kept['gateway_response']}. You can try again."
        return render_template(
            "paystack/checkout.html",
            kept=kept,
            channels=chosen or ["card"],
            wallet=wallet,
            cards=CARDS.values(),
            problem=problem,
        )

    def _to_page(self, code: str) -> AnyResponse:
        return redirect(url_for("paystack.checkout", code=code), 303)

    def _onward(self, code: str) -> AnyResponse:
        """Back to the merchant when it is paid, else to the page."""
        kept = self._transaction(code)
        back = _way_back(kept) if kept["status"] in ENDED else None
        return redirect(back, 303) if back else self._to_page(code)


def _way_back(kept: Document) -> str | None:
    """callback_url with `trxref` and `reference`; None when the merchant gave none."""
    url = kept["callback_url"]
    if not url:
        return None
    names = urlencode({"trxref": kept["reference"], "reference": kept["reference"]})
    return f"{url}{'&' if '?' in url else '?'}{names}"

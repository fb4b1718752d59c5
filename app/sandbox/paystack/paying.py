"""The moment a Paystack customer pays, fails or walks away: the state, the books, the news."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Any, Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.paystack import answers, shapes
from app.sandbox.paystack.cards import CARDS, GOOD, WALLETS, Card
from app.sandbox.paystack.fees import fee
from app.sandbox.paystack.webhooks import Webhooks

OPEN: Final = ("abandoned", "ongoing", "pending", "failed")
"""A failed transaction is still open: the customer may try another card on the same page."""

FAILURES: Final = {
    "insufficient_funds": "Insufficient Funds",
    "declined": "Declined",
    "wrong_pin": "Incorrect PIN",
}
NEVER_ANSWERS: Final = "timed_out"
CANCELLED: Final = "cancelled"

CUSTOMER_BEARS_FEES: Final = Decimal(7120)
REFUND_FAILS: Final = Decimal(7123)
REFUND_NEEDS_ATTENTION: Final = Decimal(7124)
MAGIC_CARDS: Final = {REFUND_FAILS: "4084080000671803", REFUND_NEEDS_ATTENTION: "4084080000671902"}
"""Amount in major units → the card the simulated customer pays with, when it is not the good one."""

WRONG_AMOUNT_MORE: Final = 100
OLD_NEWS_AFTER_S: Final = 1.0

Document = dict[str, Any]


class Paying:
    """Ends a transaction once; asks and tells nobody before the books are written."""

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._webhooks = webhooks
        sandbox.customers.register("paystack", self.pay_as_asked)

    def begin(self, kept: Document) -> None:
        """A new transaction: the simulated customer will come, has come already, or never will."""
        plan = Plan.from_json(kept["plan"])
        if plan.fate == NEVER_ANSWERS:
            return
        if plan.callback_early:
            self._pay_as_asked(kept, is_early=True)
        else:
            self._sandbox.customers.expect("paystack", kept["reference"])

    def pay_as_asked(self, reference: str) -> None:
        """What the simulated customer does: pays by the first channel, unless the fate says otherwise."""
        kept = self._sandbox.store.get("paystack", "transaction", reference)
        if kept is not None:
            self._pay_as_asked(kept, is_early=False)

    def by_card(self, reference: str, card: Card, *, is_early: bool = False) -> None:
        authorization = shapes.card_authorization(card.number, answers.new_code("AUTH_"))
        self.succeed(
            reference, channel="card", authorization=authorization, refunds=card.refunds, is_early=is_early
        )

    def by_wallet(self, reference: str, currency: str, *, is_early: bool = False) -> None:
        wallet = WALLETS[currency]
        authorization = shapes.other_authorization(
            "mobile_money", wallet.number[-10:], wallet.name, answers.new_code("AUTH_")
        )
        self.succeed(reference, channel="mobile_money", authorization=authorization, is_early=is_early)

    def by_bank(self, reference: str, *, is_early: bool = False) -> None:
        authorization = shapes.other_authorization(
            "bank", "0000000000", "Test Bank", answers.new_code("AUTH_")
        )
        self.succeed(reference, channel="bank", authorization=authorization, is_early=is_early)

    def succeed(
        self,
        reference: str,
        *,
        channel: str,
        authorization: Document,
        refunds: str = "processed",
        is_early: bool = False,
    ) -> None:
        """Take the money, unless the transaction's fate is that the payment fails."""
        moment = answers.stamp(self._sandbox.now())

        def end(kept: Document) -> Document | None:
            if kept["status"] not in OPEN:
                return None
            plan = Plan.from_json(kept["plan"])
            if (failure := failure_of(plan)) is not None:
                kept |= _failed(failure, channel)
                return None
            if plan.wrong_amount:
                kept["requested_subunits"] += WRONG_AMOUNT_MORE
                kept["amount"] = str(answers.major(kept["requested_subunits"]))
            fees = fee(kept["requested_subunits"], kept["currency"], channel=channel)
            borne = fees if answers.major(kept["requested_subunits"]) == CUSTOMER_BEARS_FEES else 0
            kept |= {"status": "success", "gateway_response": "Successful", "channel": channel, "step": None}
            kept |= {"charged_subunits": kept["requested_subunits"] + borne, "fees": fees, "paid_at": moment}
            kept |= {"authorization": authorization, "refunds": refunds, "receipt": _receipt(channel)}
            self._record(kept)
            return dict(kept)

        paid = self._sandbox.store.update("paystack", "transaction", reference, end)
        if paid is not None:
            self._tell(paid, is_early=is_early)

    def fail(self, reference: str, reason: str, *, channel: str) -> None:
        """Refused. Paystack sends no news of it, and the customer may try again."""

        def end(kept: Document) -> None:
            if kept["status"] in OPEN:
                kept |= _failed(reason, channel)

        self._sandbox.store.update("paystack", "transaction", reference, end)

    def open_page(self, reference: str) -> None:
        """A person has come: the simulated customer steps back."""
        self._sandbox.customers.import_external_refunds("paystack", reference)

        def begin(kept: Document) -> None:
            if kept["status"] == "abandoned":
                kept["status"] = "ongoing"

        self._sandbox.store.update("paystack", "transaction", reference, begin)

    def walk_away(self, reference: str) -> None:
        """A failed transaction stays failed; what was begun on the page is forgotten."""

        def leave(kept: Document) -> None:
            if kept["status"] in OPEN:
                kept["status"] = "failed" if kept["status"] == "failed" else "abandoned"
                kept["step"] = None

        self._sandbox.store.update("paystack", "transaction", reference, leave)

    def _pay_as_asked(self, kept: Document, *, is_early: bool) -> None:
        plan = Plan.from_json(kept["plan"])
        reference = kept["reference"]
        if plan.fate == CANCELLED:
            self.walk_away(reference)
            return
        known = [each for each in kept["channels"] or ["card"] if each in ("card", "bank", "mobile_money")]
        channel = known[0] if known else "card"
        if channel == "mobile_money" and kept["currency"] in WALLETS:
            self.by_wallet(reference, kept["currency"], is_early=is_early)
        elif channel == "bank":
            self.by_bank(reference, is_early=is_early)
        else:
            number = MAGIC_CARDS.get(answers.major(kept["requested_subunits"]), GOOD)
            self.by_card(reference, CARDS[number], is_early=is_early)

    def _record(self, paid: Document) -> None:
        """What was asked for: fees a customer bears are not the merchant's."""
        self._sandbox.book.record(
            "paystack",
            "charge",
            reference=paid["reference"],
            id=str(paid["id"]),
            amount=answers.major(paid["requested_subunits"]),
            currency=paid["currency"],
        )

    def _tell(self, paid: Document, *, is_early: bool) -> None:
        plan = Plan.from_json(paid["plan"])
        self._webhooks.send("charge.success", shapes.in_webhook(paid), plan, is_early=is_early)
        if plan.callback_reorder:
            earlier_try = paid | {"status": "failed", "gateway_response": "Declined", "paid_at": None}
            self._webhooks.send(
                "charge.failed", shapes.in_webhook(earlier_try), Plan(), after_s=OLD_NEWS_AFTER_S
            )


def failure_of(plan: Plan) -> str | None:
    """Why a payment that is tried fails; None when it succeeds. Who never tries does not fail."""
    if plan.fate in (None, NEVER_ANSWERS, CANCELLED):
        return None
    return FAILURES.get(plan.fate, "Declined")


def _failed(reason: str, channel: str) -> Document:
    return {"status": "failed", "gateway_response": reason, "channel": channel, "step": None}


def _receipt(channel: str) -> str | None:
    """Wallets give a receipt number, cards none."""
    return secrets.token_hex(5).upper() if channel == "mobile_money" else None

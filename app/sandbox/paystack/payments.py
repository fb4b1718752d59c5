"""How a Paystack payment ends: the customer pays, fails to pay, or leaves the page."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT, Plan
from app.sandbox.paystack import objects
from app.sandbox.paystack.callbacks import Callbacks
from app.sandbox.paystack.cards import CARDS, PAYING_CARD, WALLETS, Card
from app.sandbox.paystack.fees import fee
from app.sandbox.paystack.replies import major, new_code, timestamp
from app.sandbox.store import Document

OPEN: Final = ("abandoned", "ongoing", "pending", "failed")
"""Statuses in which the customer can still pay: after a failure, with another card on the same page."""

FAILURES: Final = {
    "insufficient_funds": "Insufficient Funds",
    "declined": "Declined",
    "wrong_pin": "Incorrect PIN",
}
NEVER_ANSWERS: Final = "timed_out"
CANCELLED: Final = "cancelled"
CHANNELS: Final = ("card", "bank", "mobile_money")

CUSTOMER_PAYS_FEES: Final = Decimal(7120)
REFUND_FAILS: Final = Decimal(7123)
REFUND_NEEDS_ATTENTION: Final = Decimal(7124)
MAGIC_CARDS: Final = {REFUND_FAILS: "4084080000671803", REFUND_NEEDS_ATTENTION: "4084080000671902"}
"""Amount in major units → the card that the simulated customer uses for it."""

WRONG_AMOUNT_EXTRA: Final = 100
OLD_WEBHOOK_AFTER_S: Final = 1.0


class Payments:
    """Ends each transaction once: first the state and the records, then the webhooks."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox = sandbox
        self._callbacks = callbacks

    def begin(self, transaction: Document) -> None:
        """Let the simulated customer act on a new transaction: later, at once or never."""
        plan = Plan.from_json(transaction["plan"])
        if plan.outcome == NEVER_ANSWERS:
            return
        if plan.callback_early:
            self._act_as_customer(transaction, is_early=True)
        else:
            self._sandbox.customers.schedule("paystack", transaction["reference"])

    def act_as_customer(self, reference: str) -> None:
        """What the simulated customer does: pays by the first channel, unless the payment has another outcome."""
        transaction = self._sandbox.store.get("paystack", "transaction", reference)
        if transaction is not None:
            self._act_as_customer(transaction, is_early=False)

    def pay_by_card(self, reference: str, card: Card, *, is_early: bool = False) -> None:
        """The customer pays by card."""
        authorization = objects.card_authorization(card.number, new_code("AUTH_"))
        self.succeed(
            reference, channel="card", authorization=authorization, refunds=card.refunds, is_early=is_early
        )

    def pay_by_wallet(self, reference: str, currency: str, *, is_early: bool = False) -> None:
        """The customer pays by mobile money."""
        wallet = WALLETS[currency]
        authorization = objects.other_authorization(
            "mobile_money", wallet.number[-10:], wallet.name, new_code("AUTH_")
        )
        self.succeed(reference, channel="mobile_money", authorization=authorization, is_early=is_early)

    def pay_by_bank(self, reference: str, *, is_early: bool = False) -> None:
        """The customer pays from a bank account."""
        authorization = objects.other_authorization("bank", "0000000000", "Test Bank", new_code("AUTH_"))
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
        """Complete the payment, unless its planned outcome is a failure."""
        now = timestamp(self._sandbox.now())

        def end(transaction: Document) -> Document | None:
            if transaction["status"] not in OPEN:
                return None
            plan = Plan.from_json(transaction["plan"])
            if (failure := failure_of(plan)) is not None:
                transaction |= _failed(failure, channel)
                return None
            if plan.wrong_amount:
                transaction["requested_subunits"] += WRONG_AMOUNT_EXTRA
                transaction["amount"] = str(major(transaction["requested_subunits"]))
            fees = fee(transaction["requested_subunits"], transaction["currency"], channel=channel)
            added = fees if major(transaction["requested_subunits"]) == CUSTOMER_PAYS_FEES else 0
            transaction |= {
                "status": "success",
                "gateway_response": "Successful",
                "channel": channel,
                "step": None,
            }
            transaction |= {
                "charged_subunits": transaction["requested_subunits"] + added,
                "fees": fees,
                "paid_at": now,
            }
            transaction |= {"authorization": authorization, "refunds": refunds, "receipt": _receipt(channel)}
            self._record(transaction)
            return dict(transaction)

        paid = self._sandbox.store.update("paystack", "transaction", reference, end)
        if paid is not None:
            self._send_webhooks(paid, is_early=is_early)

    def fail(self, reference: str, reason: str, *, channel: str) -> None:
        """The payment fails. Paystack sends no webhook, and the customer can try again."""

        def end(transaction: Document) -> None:
            if transaction["status"] in OPEN:
                transaction |= _failed(reason, channel)

        self._sandbox.store.update("paystack", "transaction", reference, end)

    def open_page(self, reference: str) -> None:
        """A user opened the page, so the simulated customer does not act."""
        self._sandbox.customers.cancel("paystack", reference)

        def begin(transaction: Document) -> None:
            if transaction["status"] == "abandoned":
                transaction["status"] = "ongoing"

        self._sandbox.store.update("paystack", "transaction", reference, begin)

    def leave_page(self, reference: str) -> None:
        """The customer leaves the page: a failed transaction stays failed, unfinished steps are discarded."""

        def leave(transaction: Document) -> None:
            if transaction["status"] in OPEN:
                transaction["status"] = "failed" if transaction["status"] == "failed" else "abandoned"
                transaction["step"] = None

        self._sandbox.store.update("paystack", "transaction", reference, leave)

    def _act_as_customer(self, transaction: Document, *, is_early: bool) -> None:
        plan = Plan.from_json(transaction["plan"])
        reference = transaction["reference"]
        if plan.outcome == CANCELLED:
            self.leave_page(reference)
            return
        supported = [name for name in transaction["channels"] or ["card"] if name in CHANNELS]
        channel = supported[0] if supported else "card"
        if channel == "mobile_money" and transaction["currency"] in WALLETS:
            self.pay_by_wallet(reference, transaction["currency"], is_early=is_early)
        elif channel == "bank":
            self.pay_by_bank(reference, is_early=is_early)
        else:
            number = MAGIC_CARDS.get(major(transaction["requested_subunits"]), PAYING_CARD)
            self.pay_by_card(reference, CARDS[number], is_early=is_early)

    def _record(self, paid: Document) -> None:
        """Record the requested amount: fees that the customer pays are not the merchant's."""
        self._sandbox.records.add(
            "paystack",
            "charge",
            reference=paid["reference"],
            id=str(paid["id"]),
            amount=major(paid["requested_subunits"]),
            currency=paid["currency"],
        )

    def _send_webhooks(self, paid: Document, *, is_early: bool) -> None:
        plan = Plan.from_json(paid["plan"])
        self._callbacks.send_webhook("charge.success", objects.webhook_details(paid), plan, is_early=is_early)
        if plan.callback_reorder:
            earlier_try = paid | {"status": "failed", "gateway_response": "Declined", "paid_at": None}
            self._callbacks.send_webhook(
                "charge.failed", objects.webhook_details(earlier_try), NO_FAULT, after_s=OLD_WEBHOOK_AFTER_S
            )


def failure_of(plan: Plan) -> str | None:
    """Why an attempt to pay fails; None when it succeeds. Outcomes without an attempt are no failures."""
    if plan.outcome in (None, NEVER_ANSWERS, CANCELLED):
        return None
    return FAILURES.get(plan.outcome, "Declined")


def _failed(reason: str, channel: str) -> Document:
    return {"status": "failed", "gateway_response": reason, "channel": channel, "step": None}


def _receipt(channel: str) -> str | None:
    """The receipt number of a wallet payment; other payments have none."""
    return secrets.token_hex(5).upper() if channel == "mobile_money" else None

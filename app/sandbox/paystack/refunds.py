"""Paystack's refunds: queued, then pending, processing and processed, each told to the merchant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, g, request

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.paystack import answers, shapes
from app.sandbox.paystack.transactions import page
from app.sandbox.paystack.webhooks import Webhooks

TIMER: Final = "paystack.refund"
STEP_AFTER_S: Final = 0.5
OLD_NEWS_AFTER_S: Final = 3.0
"""With callbacks out of order: how late the news of pending and processing are."""

NEXT: Final = {"pending": "processing", "processing": "processed"}
"""Status → the next one, where the payment's card has no other end in store."""

HAS_NUMBER: Final = ("failed", "needs-attention")
"""Events whose amount is a number; in the others it is text."""

Document = dict[str, Any]


class Refunds:
    """Refunds have Paystack's id alone. All those of a transaction together are at most what was paid."""

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._webhooks = webhooks
        sandbox.timers.register(TIMER, self._step)

    def add_to(self, blueprint: Blueprint) -> None:
        refund = answers.steered(self._sandbox, "refund", has_magic=False)(self.refund)
        get = answers.steered(self._sandbox, "refund_get", has_magic=False)(self.get)
        listed = answers.steered(self._sandbox, "refund_list", has_magic=False)(self.list)
        again = "/refund/retry_with_customer_details/<int:id>"
        blueprint.add_url_rule("/refund", "refund", view_func=refund, methods=["POST"])
        blueprint.add_url_rule("/refund", "refunds", view_func=listed)
        blueprint.add_url_rule("/refund/<int:id>", "refund_get", view_func=get)
        blueprint.add_url_rule(again, "refund_again", view_func=self.retry, methods=["POST"])

    def refund(self) -> Response:
        sent = answers.body()
        kept = self._transaction(sent.get("transaction"))
        if kept is None:
            return answers.refused(404, "Transaction not found", code="transaction_not_found")
        if (refusal := self._refusal_of(sent, kept)) is not None:
            return refusal
        amount = self._reserve(kept["reference"], answers.subunits(sent.get("amount")))
        if amount is None:
            return answers.refused(
                400, "Refund amount cannot be more than the amount left to refund", code="invalid_amount"
            )
        return self._accept(kept, amount, sent, g.plan)

    def get(self, id: int) -> Response:
        """One refund; here `transaction` is the transaction's id, not the object."""
        refund = self._store.get("paystack", "refund", str(id))
        if refund is None:
            return answers.not_found("Refund")
        return answers.ok("Refund retrieved", _details(refund) | {"transaction": refund["transaction_id"]})

    def list(self) -> Response:
        """All, or those of one `?transaction=` (its id or reference), the newest first."""
        asked = request.args.get("transaction")
        found = self._store.find("paystack", "refund")
        if asked:
            kept = self._transaction(asked)
            found = [each for each in found if kept is not None and each["transaction_id"] == kept["id"]]
        items = [_details(each) | {"transaction": each["transaction_id"]} for each in reversed(found)]
        return page("Refunds retrieved", items)

    def retry(self, id: int) -> Response:
        """The customer's account for a refund that needs attention."""
        details = answers.body().get("refund_account_details")
        names = ("currency", "account_number", "bank_id")
        if not isinstance(details, Mapping) or not all(details.get(name) for name in names):
            return answers.refused(
                400, "Currency, account number and bank id are required", code="missing_params"
            )
        if self._store.get("paystack", "refund", str(id)) is None:
            return answers.not_found("Refund")

        def take_up(refund: Document) -> Document | None:
            if refund["status"] != "needs-attention":
                return None
            refund |= {"status": "processing", "outcome": "processed"}
            return dict(refund)

        refund = self._store.update("paystack", "refund", str(id), take_up)
        if refund is None:
            return answers.refused(400, "Refund does not need attention", code="invalid_params")
        self._tell(refund, Plan())
        self._sandbox.timers.set(TIMER, str(id), STEP_AFTER_S)
        return answers.ok("Refund retried and has been queued for processing", _details(refund))

    def _transaction(self, named: object) -> Document | None:
        """By reference, or by id as a number or its digits."""
        name = str(named) if isinstance(named, str | int) and not isinstance(named, bool) else ""
        kept = self._store.get("paystack", "transaction", name)
        if kept is None and name.isascii() and name.isdigit() and len(name) < 19:
            found = self._store.find("paystack", "transaction", id=int(name))
            kept = found[0] if found else None
        return kept

    def _refusal_of(self, sent: Document, kept: Document) -> Response | None:
        if kept["status"] == "reversed":
            return answers.refused(400, "Transaction has been fully reversed", code="transaction_reversed")
        if kept["status"] != "success":
            return answers.refused(400, "Transaction is not successful", code="transaction_not_successful")
        if sent.get("amount") is not None and answers.subunits(sent["amount"]) is None:
            return answers.refused(400, "Invalid Amount Sent", code="invalid_amount")
        if sent.get("currency") and sent["currency"] != kept["currency"]:
            return answers.refused(
                400, "Currency is not the one of the transaction", code="unsupported_currency"
            )
        if g.plan.fate == "insufficient_funds":
            return answers.refused(
                400, "Your balance is not enough to fulfil this request", code="insufficient_balance"
            )
        return None

    def _reserve(self, reference: str, asked: int | None) -> int | None:
        def reserve(kept: Document) -> int | None:
            left = kept["requested_subunits"] - kept["refunded"]
            amount = left if asked is None else asked
            if amount <= 0 or amount > left:
                return None
            kept["refunded"] += amount
            return int(amount)

        return self._store.update("paystack", "transaction", reference, reserve)

    def _accept(self, kept: Document, amount: int, sent: Document, plan: Plan) -> Response:
        moment = answers.stamp(self._sandbox.now())
        id = answers.new_id()
        refund: Document = {
            "id": id,
            "status": "pending",
            # What the card has in store; a fault's fate is that the refund fails.
            "outcome": "failed" if plan.fate else kept["refunds"],
            "transaction_id": kept["id"],
            "transaction_reference": kept["reference"],
            "refund_reference": None,
            "subunits": amount,
            "currency": kept["currency"],
            "email": kept["email"],
            "customer_note": sent.get("customer_note"),
            "merchant_note": sent.get("merchant_note"),
            "created_at": moment,
            "plan": plan.to_json(),
        }
        self._store.insert("paystack", "refund", str(id), refund)
        self._tell(refund, plan, is_early=plan.callback_early)
        if plan.callback_early:
            self._step(str(id))
            self._step(str(id))
        else:
            self._sandbox.timers.set(TIMER, str(id), STEP_AFTER_S)
        answer = _details(refund) | {"transaction": shapes.transaction(kept)}
        return answers.ok("Refund has been queued for processing", answer)

    def _step(self, id: str) -> None:
        """On to the next status; nothing when there is none."""
        if self._store.get("paystack", "refund", id) is None:
            return  # the sandbox was reset in the meantime
        refund = self._store.update("paystack", "refund", id, self._advance)
        if refund is None:
            return
        plan = Plan.from_json(refund["plan"])
        self._tell(refund, plan, is_early=plan.callback_early)
        if refund["status"] in NEXT and not plan.callback_early:
            self._sandbox.timers.set(TIMER, id, STEP_AFTER_S)

    def _advance(self, refund: Document) -> Document | None:
        status = NEXT.get(refund["status"])
        if status is None:
            return None
        refund["status"] = refund["outcome"] if status == "processed" else status
        if refund["status"] == "processed":
            refund["refund_reference"] = answers.new_code("RFD_")
            self._pay_back(refund)
        elif refund["status"] == "failed":
            self._give_back(refund)
        return dict(refund)

    def _pay_back(self, refund: Document) -> None:
        """The books, and a transaction that is reversed once all of it is paid back."""
        self._sandbox.book.record(
            "paystack",
            "refund",
            reference=refund["merchant_note"] or str(refund["id"]),
            id=str(refund["id"]),
            amount=answers.major(refund["subunits"]),
            currency=refund["currency"],
        )
        earlier = self._store.find(
            "paystack", "refund", transaction_id=refund["transaction_id"], status="processed"
        )
        paid_back = refund["subunits"] + sum(each["subunits"] for each in earlier)

        def reverse(kept: Document) -> None:
            if paid_back == kept["requested_subunits"]:
                kept["status"] = "reversed"

        self._store.update("paystack", "transaction", refund["transaction_reference"], reverse)

    def _give_back(self, refund: Document) -> None:
        def give_back(kept: Document) -> None:
            kept["refunded"] -= refund["subunits"]

        self._store.update("paystack", "transaction", refund["transaction_reference"], give_back)

    def _tell(self, refund: Document, plan: Plan, *, is_early: bool = False) -> None:
        is_late = plan.callback_reorder and refund["status"] in NEXT
        self._webhooks.send(
            f"refund.{refund['status']}",
            _in_webhook(refund),
            plan,
            after_s=OLD_NEWS_AFTER_S if is_late else 0.0,
            is_early=is_early,
        )


def _details(refund: Document) -> Document:
    return {
        "id": refund["id"],
        "integration": answers.INTEGRATION,
        "domain": "test",
        "transaction": refund["transaction_id"],
        "dispute": None,
        "settlement": None,
        "amount": refund["subunits"],
        "deducted_amount": refund["subunits"] if refund["status"] == "processed" else 0,
        "currency": refund["currency"],
        "channel": None,
        "fully_deducted": refund["status"] == "processed",
        "refunded_by": "merchant@example.com",
        "refunded_at": refund["created_at"] if refund["status"] == "processed" else None,
        "expected_at": refund["created_at"],
        "status": refund["status"],
        "customer_note": refund["customer_note"],
        "merchant_note": refund["merchant_note"],
        "bank_reference": None,
        "transaction_reference": refund["transaction_reference"],
        "createdAt": refund["created_at"],
        "created_at": refund["created_at"],
    }


def _in_webhook(refund: Document) -> Document:
    """`id` only when attention is needed; the amount is text until then."""
    status = refund["status"]
    data = {
        "status": status,
        "transaction_reference": refund["transaction_reference"],
        "refund_reference": refund["refund_reference"],
        "amount": refund["subunits"] if status in HAS_NUMBER else str(refund["subunits"]),
        "currency": refund["currency"],
        "processor": "instant-transfer",
        "customer": {"first_name": None, "last_name": None, "email": refund["email"]},
        "integration": answers.INTEGRATION,
        "domain": "test",
    }
    return data | {"id": refund["id"]} if status == "needs-attention" else data

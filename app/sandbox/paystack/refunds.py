"""Paystack's refunds: pending, processing, then processed, with a webhook for each status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT, Plan
from app.sandbox.paystack import objects
from app.sandbox.paystack.callbacks import Callbacks
from app.sandbox.paystack.errors import ApiError, not_found
from app.sandbox.paystack.replies import (
    INTEGRATION,
    major,
    new_code,
    new_id,
    page,
    subunits,
    success,
    timestamp,
)
from app.sandbox.store import Document

TIMER: Final = "paystack.refund"
STEP_AFTER_S: Final = 0.5
OLD_WEBHOOK_AFTER_S: Final = 3.0
"""With callbacks out of order, the delay of the webhooks for pending and processing."""

NEXT: Final = {"pending": "processing", "processing": "processed"}
"""Status → the next one. The last one may be replaced by the outcome of the payment's card."""

NUMBER_STATUSES: Final = ("failed", "needs-attention")
"""Statuses in whose webhooks the amount is a number; in others it is text."""


class Refunds:
    """Refunds have an id of Paystack's, no reference. Those of a transaction together are at most the payment."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._callbacks = callbacks
        sandbox.timers.register(TIMER, self._step)

    def create(self, request: ApiRequest) -> Document:
        """`POST /refund`."""
        transaction = self._transaction(request.body.get("transaction"))
        if transaction is None:
            raise ApiError(404, "Transaction not found", code="transaction_not_found")
        _check(request, transaction)
        amount = self._reserve(transaction["reference"], subunits(request.body.get("amount")))
        if amount is None:
            raise ApiError(
                400, "Refund amount cannot be more than the amount left to refund", code="invalid_amount"
            )
        refund = self._accept(transaction, amount, request)
        data = _details(refund) | {"transaction": objects.details(transaction)}
        return success("Refund has been queued for processing", data)

    def get(self, request: ApiRequest, id: int) -> Document:
        """`GET /refund/{id}`. In the answer, `transaction` is the transaction's id, not the object."""
        refund = self._store.get("paystack", "refund", str(id))
        if refund is None:
            raise not_found("Refund")
        return success("Refund retrieved", _details(refund))

    def list_refunds(self, request: ApiRequest) -> Document:
        """`GET /refund`: all, or those of one `?transaction=` (its id or reference), newest first."""
        found = self._store.find("paystack", "refund")
        if name := request.query.get("transaction"):
            transaction = self._transaction(name)
            id = transaction["id"] if transaction else None
            found = [refund for refund in found if refund["transaction_id"] == id]
        return page("Refunds retrieved", [_details(refund) for refund in reversed(found)], request.query)

    def retry(self, request: ApiRequest, id: int) -> Document:
        """`POST /refund/retry_with_customer_details/{id}`: the account for a refund that needs attention."""
        details = request.body.get("refund_account_details")
        names = ("currency", "account_number", "bank_id")
        if not isinstance(details, Mapping) or not all(details.get(name) for name in names):
            raise ApiError(400, "Currency, account number and bank id are required", code="missing_params")
        if self._store.get("paystack", "refund", str(id)) is None:
            raise not_found("Refund")

        def resume(refund: Document) -> Document | None:
            if refund["status"] != "needs-attention":
                return None
            refund |= {"status": "processing", "outcome": "processed"}
            return dict(refund)

        refund = self._store.update("paystack", "refund", str(id), resume)
        if refund is None:
            raise ApiError(400, "Refund does not need attention", code="invalid_params")
        self._send_webhook(refund, NO_FAULT)
        self._sandbox.timers.set(TIMER, str(id), STEP_AFTER_S)
        return success("Refund retried and has been queued for processing", _details(refund))

    def _transaction(self, named: object) -> Document | None:
        """The transaction with this reference, or this id as a number or as text."""
        name = str(named) if isinstance(named, str | int) and not isinstance(named, bool) else ""
        transaction = self._store.get("paystack", "transaction", name)
        if transaction is None and name.isascii() and name.isdigit() and len(name) < 19:
            found = self._store.find("paystack", "transaction", id=int(name))
            transaction = found[0] if found else None
        return transaction

    def _reserve(self, reference: str, requested: int | None) -> int | None:
        """Reserve `requested`, or all that is left, of what can still be refunded; None when that is not enough."""

        def reserve(transaction: Document) -> int | None:
            left = transaction["requested_subunits"] - transaction["refunded"]
            amount = left if requested is None else requested
            if amount <= 0 or amount > left:
                return None
            transaction["refunded"] += amount
            return int(amount)

        return self._store.update("paystack", "transaction", reference, reserve)

    def _accept(self, transaction: Document, amount: int, request: ApiRequest) -> Document:
        """Store the refund and let it proceed; the refund as it was accepted."""
        plan = request.plan
        refund = self._new_refund(transaction, amount, request.body, plan)
        id = str(refund["id"])
        self._store.insert("paystack", "refund", id, refund)
        self._send_webhook(refund, plan, is_early=plan.callback_early)
        if plan.callback_early:
            self._step(id)
            self._step(id)
        else:
            self._sandbox.timers.set(TIMER, id, STEP_AFTER_S)
        return refund

    def _new_refund(self, transaction: Document, amount: int, body: Document, plan: Plan) -> Document:
        return {
            "id": new_id(),
            "status": "pending",
            # With a planned outcome the refund fails; otherwise the payment's card decides.
            "outcome": "failed" if plan.outcome else transaction["refunds"],
            "transaction_id": transaction["id"],
            "transaction_reference": transaction["reference"],
            "refund_reference": None,
            "subunits": amount,
            "currency": transaction["currency"],
            "email": transaction["email"],
            "customer_note": body.get("customer_note"),
            "merchant_note": body.get("merchant_note"),
            "created_at": timestamp(self._sandbox.now()),
            "plan": plan.to_json(),
        }

    def _step(self, id: str) -> None:
        """Move to the next status, if there is one."""
        if self._store.get("paystack", "refund", id) is None:
            return  # the sandbox was reset meanwhile
        refund = self._store.update("paystack", "refund", id, self._advance)
        if refund is None:
            return
        plan = Plan.from_json(refund["plan"])
        self._send_webhook(refund, plan, is_early=plan.callback_early)
        if refund["status"] in NEXT and not plan.callback_early:
            self._sandbox.timers.set(TIMER, id, STEP_AFTER_S)

    def _advance(self, refund: Document) -> Document | None:
        status = NEXT.get(refund["status"])
        if status is None:
            return None
        refund["status"] = refund["outcome"] if status == "processed" else status
        if refund["status"] == "processed":
            refund["refund_reference"] = new_code("RFD_")
            self._complete(refund)
        elif refund["status"] == "failed":
            self._release(refund)
        return dict(refund)

    def _complete(self, refund: Document) -> None:
        """Record the refund. The transaction is reversed once all of it is refunded."""
        self._sandbox.records.add(
            "paystack",
            "refund",
            reference=refund["merchant_note"] or str(refund["id"]),
            id=str(refund["id"]),
            amount=major(refund["subunits"]),
            currency=refund["currency"],
        )
        earlier = self._store.find(
            "paystack", "refund", transaction_id=refund["transaction_id"], status="processed"
        )
        refunded = refund["subunits"] + sum(other["subunits"] for other in earlier)

        def reverse(transaction: Document) -> None:
            if refunded == transaction["requested_subunits"]:
                transaction["status"] = "reversed"

        self._store.update("paystack", "transaction", refund["transaction_reference"], reverse)

    def _release(self, refund: Document) -> None:
        def release(transaction: Document) -> None:
            transaction["refunded"] -= refund["subunits"]

        self._store.update("paystack", "transaction", refund["transaction_reference"], release)

    def _send_webhook(self, refund: Document, plan: Plan, *, is_early: bool = False) -> None:
        is_late = plan.callback_reorder and refund["status"] in NEXT
        self._callbacks.send_webhook(
            f"refund.{refund['status']}",
            _webhook_details(refund),
            plan,
            after_s=OLD_WEBHOOK_AFTER_S if is_late else 0.0,
            is_early=is_early,
        )


def _check(request: ApiRequest, transaction: Document) -> None:
    body = request.body
    if transaction["status"] == "reversed":
        raise ApiError(400, "Transaction has been fully reversed", code="transaction_reversed")
    if transaction["status"] != "success":
        raise ApiError(400, "Transaction is not successful", code="transaction_not_successful")
    if body.get("amount") is not None and subunits(body["amount"]) is None:
        raise ApiError(400, "Invalid Amount Sent", code="invalid_amount")
    if body.get("currency") and body["currency"] != transaction["currency"]:
        raise ApiError(400, "Currency is not the one of the transaction", code="unsupported_currency")
    if request.plan.outcome == "insufficient_funds":
        raise ApiError(400, "Your balance is not enough to fulfil this request", code="insufficient_balance")


def _details(refund: Document) -> Document:
    """The refund in"""
    return {
        "id": refund["id"],
        "integration": INTEGRATION,
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


def _webhook_details(refund: Document) -> Document:
    """The refund in a webhook. Its `id` is there only when attention is needed."""
    status = refund["status"]
    data = {
        "status": status,
        "transaction_reference": refund["transaction_reference"],
        "refund_reference": refund["refund_reference"],
        "amount": refund["subunits"] if status in NUMBER_STATUSES else str(refund["subunits"]),
        "currency": refund["currency"],
        "processor": "instant-transfer",
        "customer": {"first_name": None, "last_name": None, "email": refund["email"]},
        "integration": INTEGRATION,
        "domain": "test",
    }
    return data | {"id": refund["id"]} if status == "needs-attention" else data

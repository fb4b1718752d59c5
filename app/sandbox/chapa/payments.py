"""Chapa's payments: initialize, verify, cancel, and how a payment ends."""

from __future__ import annotations

import secrets
import string
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from app.sandbox.amounts import json_number
from app.sandbox.calls import ApiRequest
from app.sandbox.chapa import validation
from app.sandbox.chapa.callbacks import Callbacks
from app.sandbox.chapa.errors import ApiError
from app.sandbox.chapa.replies import CENT, amount_text, envelope, success, timestamp
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT, Plan
from app.sandbox.store import Document

FEE: Final = Decimal("0.035")
"""Chapa's charge as a share of the amount (3.5 of 100 in its samples)."""

CUSTOMERS_METHOD: Final = "card"
"""What the simulated customer pays with, as document 004 shows it. (Chapa's own sample of a test payment has "test".)"""

WRONG_AMOUNT_EXTRA: Final = Decimal("1.00")
OLD_WEBHOOK_AFTER_S: Final = 1.0
"""Seconds after the webhook of a success until the one of an earlier, failed try."""

OPEN: Final = ("pending", "failed")
"""Statuses in which the page takes another try. (Chapa ends it after ten, which is not imitated.)"""

NOT_FOUND: Final = "Invalid transaction or Transaction not found"
NEVER_ANSWERS: Final = "timed_out"
CUSTOMER_OUTCOMES: Final = ("cancelled", NEVER_ANSWERS)
"""Outcomes that only the simulated customer follows; a user of the hosted page decides these."""


class Payments:
    """One payment for each `tx_ref`. It is pending, or failed after a failed try, until it is paid or its page is closed."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._callbacks = callbacks

    def initialize(self, request: ApiRequest) -> Document:
        """`POST /v1/transaction/initialize`."""
        if problems := validation.problems(request.body, required=("amount", "currency", "tx_ref")):
            raise ApiError(400, problems)
        if request.body["currency"] not in validation.CURRENCIES:
            raise ApiError(400, "Invalid currency. Chapa supports ETB and USD.")
        payment = self._new_payment(request.body, request.plan)
        if not self._store.insert("chapa", "payment", payment["tx_ref"], payment):
            raise ApiError(400, "Transaction reference has been used before")
        self._schedule_customer(payment["tx_ref"], request.plan)
        return success("Hosted Link", {"checkout_url": payment["checkout_url"]})

    def verify(self, request: ApiRequest, ref: str) -> Document:
        """`GET /v1/transaction/verify/{tx_ref}`. The payment's status is in both places, as Chapa's list of errors shows it."""
        payment = self._store.get("chapa", "payment", ref)
        if payment is None:
            raise ApiError(404, NOT_FOUND)
        if payment["status"] == "pending":
            raise ApiError(404, "Payment not paid yet", status=None)
        details = _details(payment)
        details["status"] = self._sandbox.dashboard.option("chapa", "verify_status") or details["status"]
        return envelope("Payment details", details["status"], details)

    def cancel(self, request: ApiRequest, ref: str) -> Document:
        """`PUT /v1/transaction/cancel/{tx_ref}`: close the page of an unpaid payment for good."""
        if self._store.get("chapa", "payment", ref) is None:
            raise ApiError(404, NOT_FOUND)
        now = timestamp(self._sandbox.now())

        def close(payment: Document) -> Document | None:
            if payment["status"] not in OPEN:
                return None
            payment |= {"status": "cancelled", "failure": "closed", "step": None, "updated_at": now}
            return dict(payment)

        payment = self._store.update("chapa", "payment", ref, close)
        if payment is None:
            raise ApiError(400, "Payment link already expired")
        names = ("tx_ref", "currency", "created_at", "updated_at")
        amount = json_number(Decimal(payment["amount"]))
        data = {name: payment[name] for name in names} | {"amount": amount}
        return success("Checkout link expired successfully", data)

    def act_as_customer(self, tx_ref: str) -> None:
        """What the simulated customer does: pays, unless the payment has another outcome."""
        self._end(tx_ref, method=CUSTOMERS_METHOD, mobile=None, is_user=False)

    def pay(self, tx_ref: str, *, method: str, mobile: str | None) -> None:
        """A user paid on the hosted page."""
        self._end(tx_ref, method=method, mobile=mobile, is_user=True)

    def fail(self, tx_ref: str, *, method: str | None, reason: str) -> None:
        """A user cancelled, or a number or card was refused. A payment that was paid or closed stays as it is."""
        self._end(tx_ref, method=method, mobile=None, is_user=True, reason=reason)

    def _schedule_customer(self, tx_ref: str, plan: Plan) -> None:
        if plan.outcome == NEVER_ANSWERS:
            return
        if plan.callback_early:
            self._end(tx_ref, method=CUSTOMERS_METHOD, mobile=None, is_user=False, is_early=True)
        else:
            self._sandbox.customers.schedule("chapa", tx_ref)

    def _end(
        self,
        tx_ref: str,
        *,
        method: str | None,
        mobile: str | None,
        is_user: bool,
        reason: str | None = None,
        is_early: bool = False,
    ) -> None:
        now = timestamp(self._sandbox.now())

        def end(payment: Document) -> Document | None:
            if payment["status"] not in OPEN:
                return None
            plan = Plan.from_json(payment["plan"])
            outcome = None if is_user and plan.outcome in CUSTOMER_OUTCOMES else plan.outcome
            failure = reason or outcome
            payment |= {"status": "failed" if failure else "success", "failure": failure, "updated_at": now}
            payment |= {"method": method, "mobile": mobile or payment["mobile"], "step": None}
            if not failure and plan.wrong_amount:
                payment["amount"] = str(Decimal(payment["amount"]) + WRONG_AMOUNT_EXTRA)
            if not failure:
                payment["charge"] = str(_fee(Decimal(payment["amount"])))
                self._record(payment)
            return dict(payment)

        if (ended := self._store.update("chapa", "payment", tx_ref, end)) is not None:
            self._send_callbacks(ended, is_early=is_early)

    def _send_callbacks(self, payment: Document, *, is_early: bool) -> None:
        plan = Plan.from_json(payment["plan"])
        is_paid = payment["status"] == "success"
        name = "charge.success" if is_paid else "charge.failed/cancelled"
        self._callbacks.send_webhook(event(name, payment), plan, is_early=is_early)
        if is_paid and payment["callback_url"]:
            self._callbacks.call_back(payment["callback_url"], payment, plan, is_early=is_early)
        if is_paid and plan.callback_reorder:
            earlier_try = payment | {"status": "failed", "reference": _new_reference(), "charge": "0"}
            self._callbacks.send_webhook(
                event("charge.failed/cancelled", earlier_try), NO_FAULT, after_s=OLD_WEBHOOK_AFTER_S
            )

    def _record(self, payment: Document) -> None:
        self._sandbox.records.add(
            "chapa",
            "charge",
            reference=payment["tx_ref"],
            id=payment["reference"],
            amount=Decimal(payment["amount"]),
            currency=payment["currency"],
        )

    def _new_payment(self, body: Document, plan: Plan) -> Document:
        now = timestamp(self._sandbox.now())
        amount = validation.amount_of(body["amount"])
        assert amount is not None  # validated before
        token = secrets.token_urlsafe(24)
        names = ("first_name", "last_name", "email", "callback_url", "return_url", "customization", "meta")
        return {
            "tx_ref": str(body["tx_ref"]),
            "checkout": token,
            "checkout_url": f"{self._sandbox.settings.public_url}/chapa/checkout/payment/{token}",
            "reference": _new_reference(),
            "amount": str(amount),
            "currency": body["currency"],
            "charge": "0",
            "mobile": body.get("phone_number") or None,
            "status": "pending",
            "failure": None,
            "method": None,
            "step": None,
            "refund_reserved": "0",
            "refunded": "0",
            "plan": plan.to_json(),
            "created_at": now,
            "updated_at": now,
            **{name: body.get(name) or None for name in names},
        }


def event(name: str, payment: Document, **replaced: object) -> Document:
    """The body of a charge's webhook: flat, with amounts as text. The status is the second part of the event's name."""
    return {
        "event": name,
        "first_name": payment["first_name"],
        "last_name": payment["last_name"],
        "email": payment["email"],
        "mobile": payment["mobile"],
        "currency": payment["currency"],
        "amount": amount_text(Decimal(payment["amount"])),
        "charge": amount_text(Decimal(payment["charge"])),
        "status": name.partition(".")[2],
        "mode": "test",
        "reference": payment["reference"],
        "created_at": payment["created_at"],
        "updated_at": payment["updated_at"],
        "type": "API",
        "tx_ref": payment["tx_ref"],
        "payment_method": payment["method"],
        "customization": _customization(payment),
        "meta": payment["meta"],
    } | replaced


def _details(payment: Document) -> Document:
    return {
        "first_name": payment["first_name"],
        "last_name": payment["last_name"],
        "email": payment["email"],
        "currency": payment["currency"],
        "amount": json_number(Decimal(payment["amount"])),
        "charge": json_number(Decimal(payment["charge"])),
        "mode": "test",
        "method": payment["method"],
        "type": "API",
        "status": "refunded" if _is_refunded(payment) else payment["status"],
        "reference": payment["reference"],
        "tx_ref": payment["tx_ref"],
        "customization": _customization(payment),
        "meta": payment["meta"],
        "created_at": payment["created_at"],
        "updated_at": payment["updated_at"],
    }


def _customization(payment: Document) -> Document:
    given = payment["customization"] if isinstance(payment["customization"], dict) else {}
    return {"title": given.get("title"), "description": given.get("description"), "logo": given.get("logo")}


def _is_refunded(payment: Document) -> bool:
    """Whether the whole payment was refunded."""
    return Decimal(payment["refunded"]) == Decimal(payment["amount"])


def _fee(amount: Decimal) -> Decimal:
    return (amount * FEE).quantize(CENT, ROUND_HALF_UP)


def _new_reference() -> str:
    """Chapa's own id of a payment: eleven letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(11))

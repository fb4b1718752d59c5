"""Chapa's payments: initialize, the moment of paying, verify."""

from __future__ import annotations

import secrets
import string
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from flask import Blueprint, Response, g, request

from app.sandbox.chapa import answers, rules
from app.sandbox.chapa.webhooks import Webhooks
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan

FEE: Final = Decimal("0.035")
"""Chapa's charge as a share of the amount (its samples say 3.5 of 100)."""

WRONG_AMOUNT_MORE: Final = Decimal("1.00")
OLD_NEWS_AFTER_S: Final = 1.0
"""How long after the success the news of an earlier, failed try arrives."""

UNKNOWN: Final = "Invalid transaction or Transaction not found"
NEVER_ANSWERS: Final = "timed_out"
ABOUT_THE_PERSON: Final = ("cancelled", NEVER_ANSWERS)
"""Fates of a simulated customer. A person at the hosted page decides these for himself."""

Document = dict[str, Any]


class Payments:
    """One payment a `tx_ref`; its status goes from pending to success or failed, once."""

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._webhooks = webhooks
        sandbox.customers.register("chapa", self.pay_as_asked)

    def add_to(self, blueprint: Blueprint) -> None:
        initialize = answers.steered(self._sandbox, "initialize", "tx_ref")(self.initialize)
        verify = answers.steered_by_path(self._sandbox, "verify")(self.verify)
        cancel = answers.steered_by_path(self._sandbox, "cancel")(self.cancel)
        blueprint.add_url_rule(
            "/v1/transaction/initialize", "initialize", view_func=initialize, methods=["POST"]
        )
        blueprint.add_url_rule("/v1/transaction/verify/<path:ref>", "verify", view_func=verify)
        blueprint.add_url_rule(
            "/v1/transaction/cancel/<path:ref>", "cancel", view_func=cancel, methods=["PUT"]
        )

    def initialize(self) -> Response:
        sent = answers.body()
        if problems := rules.problems(sent, required=("amount", "currency", "tx_ref")):
            return answers.failed(400, problems)
        if sent["currency"] not in rules.CURRENCIES:
            return answers.failed(400, "Invalid currency. Chapa supports ETB and USD.")
        payment = self._new_payment(sent, g.plan)
        if not self._store.insert("chapa", "payment", payment["tx_ref"], payment):
            return answers.failed(400, "Transaction reference has been used before")
        self._let_the_customer_know(payment["tx_ref"], g.plan)
        return answers.success("Hosted Link", {"checkout_url": payment["checkout_url"]})

    def verify(self, ref: str) -> Response:
        payment = self._store.get("chapa", "payment", ref)
        if payment is None:
            return answers.failed(404, UNKNOWN)
        if payment["status"] == "pending":
            return answers.failed(404, "Payment not paid yet", status=None)
        return answers.success("Payment details", _details(payment))

    def cancel(self, ref: str) -> Response:
        """Close the page for ever. Only a payment that nothing has happened to can be cancelled."""
        if self._store.get("chapa", "payment", ref) is None:
            return answers.failed(404, UNKNOWN)
        moment = answers.stamp(self._sandbox.now())

        def close(payment: Document) -> Document | None:
            if payment["status"] != "pending":
                return None
            payment |= {"status": "cancelled", "failure": "closed", "step": None, "updated_at": moment}
            return dict(payment)

        closed = self._store.update("chapa", "payment", ref, close)
        if closed is None:
            return answers.failed(400, "Payment link already expired")
        names = ("tx_ref", "currency", "created_at", "updated_at")
        amount = answers.number(Decimal(closed["amount"]))
        told = {name: closed[name] for name in names} | {"amount": amount}
        return answers.success("Checkout link expired successfully", told)

    def pay_as_asked(self, tx_ref: str) -> None:
        """What the simulated customer does: pays, unless the payment's fate says otherwise."""
        self._end(tx_ref, method="test", mobile=None, is_person=False)

    def pay(self, tx_ref: str, *, method: str, mobile: str | None) -> None:
        """A person paid on the hosted page."""
        self._end(tx_ref, method=method, mobile=mobile, is_person=True)

    def fail(self, tx_ref: str, *, method: str | None, reason: str) -> None:
        """A person gave up, or a number or card was refused. Nothing happens to a payment that has ended."""
        self._end(tx_ref, method=method, mobile=None, is_person=True, reason=reason)

    def _let_the_customer_know(self, tx_ref: str, plan: Plan) -> None:
        if plan.fate == NEVER_ANSWERS:
            return
        if plan.callback_early:
            self._end(tx_ref, method="test", mobile=None, is_person=False, is_early=True)
        else:
            self._sandbox.customers.expect("chapa", tx_ref)

    def _end(
        self,
        tx_ref: str,
        *,
        method: str | None,
        mobile: str | None,
        is_person: bool,
        reason: str | None = None,
        is_early: bool = False,
    ) -> None:
        moment = answers.stamp(self._sandbox.now())

        def end(payment: Document) -> Document | None:
            if payment["status"] != "pending":
                return None
            plan = Plan.from_json(payment["plan"])
            fate = None if is_person and plan.fate in ABOUT_THE_PERSON else plan.fate
            why = reason or fate
            payment |= {"status": "failed" if why else "success", "failure": why, "updated_at": moment}
            payment |= {"method": method, "mobile": mobile or payment["mobile"], "step": None}
            if not why and plan.wrong_amount:
                payment["amount"] = str(Decimal(payment["amount"]) + WRONG_AMOUNT_MORE)
            if not why:
                payment["charge"] = str(_fee(Decimal(payment["amount"])))
                self._record(payment)
            return dict(payment)

        if (ended := self._store.update("chapa", "payment", tx_ref, end)) is not None:
            self._tell(ended, is_early=is_early)

    def _tell(self, payment: Document, *, is_early: bool) -> None:
        plan = Plan.from_json(payment["plan"])
        is_paid = payment["status"] == "success"
        name = "charge.success" if is_paid else "charge.failed/cancelled"
        self._webhooks.send(event(name, payment), plan, is_early=is_early)
        if is_paid and payment["callback_url"]:
            self._webhooks.call_back(payment["callback_url"], payment, plan, is_early=is_early)
        if is_paid and plan.callback_reorder:
            earlier_try = payment | {"status": "failed", "reference": _new_reference(), "charge": "0"}
            self._webhooks.send(
                event("charge.failed/cancelled", earlier_try), Plan(), after_s=OLD_NEWS_AFTER_S
            )

    def _record(self, payment: Document) -> None:
        self._sandbox.book.record(
            "chapa",
            "charge",
            reference=payment["tx_ref"],
            id=payment["reference"],
            amount=Decimal(payment["amount"]),
            currency=payment["currency"],
        )

    def _new_payment(self, sent: Document, plan: Plan) -> Document:
        moment = answers.stamp(self._sandbox.now())
        amount = answers.amount_of(sent["amount"])
        assert amount is not None  # the rules have seen it
        token = secrets.token_urlsafe(24)
        names = ("first_name", "last_name", "email", "callback_url", "return_url", "customization", "meta")
        return {
            "tx_ref": str(sent["tx_ref"]),
            "checkout": token,
            "checkout_url": f"{self._sandbox.settings.public_url}/chapa/checkout/payment/{token}",
            "reference": _new_reference(),
            "amount": str(amount),
            "currency": sent["currency"],
            "charge": "0",
            "mobile": sent.get("phone_number") or None,
            "status": "pending",
            "failure": None,
            "method": None,
            "step": None,
            "refunded": "0",
            "paid_back": "0",
            "plan": plan.to_json(),
            "created_at": moment,
            "updated_at": moment,
            **{name: sent.get(name) or None for name in names},
        }


def event(name: str, payment: Document, **instead: object) -> Document:
    """The body of a charge's webhook: flat, amounts as text; the status is the event's own word, its slash too."""
    return {
        "event": name,
        "first_name": payment["first_name"],
        "last_name": payment["last_name"],
        "email": payment["email"],
        "mobile": payment["mobile"],
        "currency": payment["currency"],
        "amount": answers.text(Decimal(payment["amount"])),
        "charge": answers.text(Decimal(payment["charge"])),
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
    } | instead


def _details(payment: Document) -> Document:
    return {
        "first_name": payment["first_name"],
        "last_name": payment["last_name"],
        "email": payment["email"],
        "currency": payment["currency"],
        "amount": answers.number(Decimal(payment["amount"])),
        "charge": answers.number(Decimal(payment["charge"])),
        "mode": "test",
        "method": payment["method"],
        "type": "API",
        "status": "refunded" if _is_paid_back(payment) else payment["status"],
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


def _is_paid_back(payment: Document) -> bool:
    """Whether nothing of it is left with the merchant."""
    return Decimal(payment["paid_back"]) == Decimal(payment["amount"])


def _fee(amount: Decimal) -> Decimal:
    return (amount * FEE).quantize(answers.CENT, ROUND_HALF_UP)


def _new_reference() -> str:
    """Chapa's own id of a payment: eleven letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(11))


def needs_key(sandbox: Sandbox) -> Response | None:
    """The refusal of a call to the API without the right key, or in a wrong format; None when it may go on."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if not key:
        return answers.failed(401, "Authorization required")
    right = sandbox.dashboard.credential("chapa", "secret_key")
    if scheme.lower() != "bearer" or not secrets.compare_digest(key.strip().encode(), right.encode()):
        return answers.invalid_key()
    is_readable = request.is_json or request.mimetype in (
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    )
    if request.method == "POST" and not is_readable:
        return answers.failed(
            400, "Incorrect header settings. Please set the Content-Type to application/json."
        )
    return None

"""Paystack's transactions: initialize, verify, charge_authorization, one by id, the list."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Blueprint, Response, g, request

from app import json_numbers
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.paystack import answers, shapes
from app.sandbox.paystack.fees import RATES
from app.sandbox.paystack.paying import NEVER_ANSWERS, Paying

EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
REFERENCE: Final = re.compile(r"[A-Za-z0-9\-.=]+")
CURRENCIES: Final = tuple(RATES)
DEFAULT_CURRENCY: Final = "NGN"
MAX_PER_PAGE: Final = 100

Document = dict[str, Any]


class Transactions:
    """One transaction a reference. References are unique for ever."""

    def __init__(self, sandbox: Sandbox, paying: Paying) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._paying = paying

    def add_to(self, blueprint: Blueprint) -> None:
        initialize = answers.steered(self._sandbox, "initialize")(self.initialize)
        verify = answers.steered(self._sandbox, "verify", has_magic=False)(self.verify)
        again = answers.steered(self._sandbox, "initialize")(self.charge_authorization)
        add = blueprint.add_url_rule
        add("/transaction/initialize", "initialize", view_func=initialize, methods=["POST"])
        add("/transaction/verify/<path:ref>", "verify", view_func=verify)
        add("/transaction/charge_authorization", "charge_authorization", view_func=again, methods=["POST"])
        add("/transaction/<int:id>", "transaction", view_func=self.get)
        add("/transaction", "transactions", view_func=self.list)

    def initialize(self) -> Response:
        sent = answers.body()
        if (refusal := _refusal_of(sent)) is not None:
            return refusal
        kept = self._insert(sent, g.plan, status="abandoned")
        if kept is None:
            return _duplicate()
        self._paying.begin(kept)
        names = ("authorization_url", "access_code", "reference")
        return answers.ok("Authorization URL created", {name: kept[name] for name in names})

    def verify(self, ref: str) -> Response:
        kept = self._store.get("paystack", "transaction", ref)
        if kept is None:
            return answers.refused(
                400,
                "Transaction reference not found.",
                code="transaction_not_found",
                next_step="Ensure that you're passing the reference of a transaction that exists on this integration",
            )
        return answers.ok("Verification successful", shapes.transaction(kept))

    def charge_authorization(self) -> Response:
        """Charge a card again that has paid before: same e-mail, reusable authorization."""
        sent = answers.body()
        if (refusal := _refusal_of(sent)) is not None:
            return refusal
        authorization = self._authorization(str(sent.get("authorization_code") or ""), sent["email"])
        if authorization is None:
            return answers.refused(
                400,
                "Email does not match Authorization code. Authorization may be inactive or belong to a different "
                "email. Please confirm.",
                code="invalid_params",
            )
        kept = self._insert(sent, g.plan, status="pending")
        if kept is None:
            return _duplicate()
        reference = kept["reference"]
        if g.plan.fate != NEVER_ANSWERS:
            self._paying.succeed(
                reference, channel="card", authorization=authorization, is_early=g.plan.callback_early
            )
        return answers.ok(
            "Charge attempted",
            shapes.transaction(self._store.get("paystack", "transaction", reference) or kept),
        )

    def get(self, id: int) -> Response:
        found = self._store.find("paystack", "transaction", id=id)
        if not found:
            return answers.not_found("Transaction")
        return answers.ok("Transaction retrieved", shapes.transaction(found[0]))

    def list(self) -> Response:
        """`?perPage=` (at most 100), `?page=`, `?status=`; the newest first."""
        status = request.args.get("status")
        found = (
            self._store.find("paystack", "transaction", status=status)
            if status
            else self._store.find("paystack", "transaction")
        )
        return page("Transactions retrieved", [shapes.transaction(kept) for kept in reversed(found)])

    def _authorization(self, code: str, email: str) -> Document | None:
        for kept in self._store.find("paystack", "transaction", status="success", email=email):
            authorization: Document = kept["authorization"]
            if authorization["authorization_code"] == code and authorization["reusable"]:
                return authorization
        return None

    def _insert(self, sent: Document, plan: Plan, *, status: str) -> Document | None:
        """The new transaction, or None when its reference has been used before."""
        amount = answers.subunits(sent["amount"])
        assert amount is not None  # the rules have seen it
        access_code = answers.new_code("")
        kept: Document = {
            "id": answers.new_id(),
            "reference": str(sent.get("reference") or answers.new_code("")),
            "access_code": access_code,
            "authorization_url": f"{self._sandbox.settings.public_url}/paystack/checkout/{access_code}",
            "requested_subunits": amount,
            "charged_subunits": amount,
            "amount": str(answers.major(amount)),
            "currency": sent.get("currency") or DEFAULT_CURRENCY,
            "email": sent["email"],
            "customer": self._customer(sent["email"]),
            "callback_url": sent.get("callback_url") or None,
            "metadata": sent.get("metadata"),
            "channels": sent.get("channels") or None,
            "status": status,
            "gateway_response": shapes.NOT_COMPLETED,
            "channel": "card",
            "fees": None,
            "receipt": None,
            "paid_at": None,
            "created_at": answers.stamp(self._sandbox.now()),
            "authorization": None,
            "refunds": "processed",
            "refunded": 0,
            "step": None,
            "plan": plan.to_json(),
        }
        return kept if self._store.insert("paystack", "transaction", kept["reference"], kept) else None

    def _customer(self, email: str) -> Document:
        """The customer of an e-mail address: the same one every time."""
        new = {
            "id": answers.new_id(),
            "first_name": None,
            "last_name": None,
            "email": email,
            "customer_code": answers.new_code("CUS_"),
            "phone": None,
            "metadata": None,
            "risk_action": "default",
            "international_format_phone": None,
        }
        self._store.insert("paystack", "customer", email, new)
        return self._store.get("paystack", "customer", email) or new


def page(message: str, items: list[Document]) -> Response:
    """One page of a list, by `?perPage=` and `?page=`."""
    size = min(max(request.args.get("perPage", 50, type=int), 1), MAX_PER_PAGE)
    number = max(request.args.get("page", 1, type=int), 1)
    start = (number - 1) * size
    meta = {
        "total": len(items),
        "skipped": start,
        "perPage": size,
        "page": number,
        "pageCount": -(-len(items) // size),
    }
    return answers.ok(message, items[start : start + size], meta=meta)


def _refusal_of(sent: Document) -> Response | None:
    email = sent.get("email")
    if not email:
        return answers.refused(400, "Email is required", code="missing_params")
    if not isinstance(email, str) or not EMAIL.fullmatch(email):
        return answers.refused(400, "Invalid Email Address Passed", code="invalid_email_address")
    if answers.subunits(sent.get("amount")) is None:
        return answers.refused(400, "Invalid Amount Sent", code="invalid_amount")
    if (sent.get("currency") or DEFAULT_CURRENCY) not in CURRENCIES:
        return answers.refused(400, "Currency not supported by merchant", code="unsupported_currency")
    if sent.get("reference") and not REFERENCE.fullmatch(str(sent["reference"])):
        return answers.refused(
            400,
            "Invalid character in transaction reference. Only -, ., = and alphanumeric characters allowed",
            code="invalid_params",
        )
    return _refusal_of_extras(sent)


def _refusal_of_extras(sent: Document) -> Response | None:
    if sent.get("callback_url") and not answers.is_url(sent["callback_url"]):
        return answers.refused(400, "Invalid callback URL", code="invalid_params")
    channels = sent.get("channels")
    if channels and not (isinstance(channels, list) and all(isinstance(each, str) for each in channels)):
        return answers.refused(400, "Channels should be an array", code="invalid_params")
    metadata = sent.get("metadata")
    if isinstance(metadata, str) and metadata:
        try:
            json_numbers.loads(metadata)
        except ValueError:
            return answers.refused(400, "Invalid metadata passed: send a JSON object", code="invalid_params")
    return None


def _duplicate() -> Response:
    return answers.refused(
        400,
        "Duplicate Transaction Reference",
        code="duplicate_reference",
        next_step="Ensure that you're generating a unique reference for every request",
    )

"""Paystack's transactions: initialize, verify, charge an authorization again, get, list."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from app import json_numbers
from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.paystack import objects
from app.sandbox.paystack.errors import ApiError, not_found
from app.sandbox.paystack.fees import RATES
from app.sandbox.paystack.payments import NEVER_ANSWERS, Payments
from app.sandbox.paystack.replies import is_url, major, new_code, new_id, page, subunits, success, timestamp
from app.sandbox.store import Document

EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
REFERENCE: Final = re.compile(r"[A-Za-z0-9\-.=]+")
CHALLENGED: Final = Decimal(7125)
"""Major units: the bank asks for the holder of a saved card."""

CURRENCIES: Final = tuple(RATES)
DEFAULT_CURRENCY: Final = "NGN"


class Transactions:
    """One transaction for each reference. A reference can be used only once."""

    def __init__(self, sandbox: Sandbox, payments: Payments) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._payments = payments

    def initialize(self, request: ApiRequest) -> Document:
        """`POST /transaction/initialize`."""
        _check(request.body)
        transaction = self._insert(request.body, request.plan, status="abandoned")
        self._payments.begin(transaction)
        names = ("authorization_url", "access_code", "reference")
        return success("Authorization URL created", {name: transaction[name] for name in names})

    def verify(self, request: ApiRequest, ref: str) -> Document:
        """`GET /transaction/verify/{reference}`."""
        transaction = self._store.get("paystack", "transaction", ref)
        if transaction is None:
            raise ApiError(
                400,
                "Transaction reference not found.",
                code="transaction_not_found",
                next_step="Ensure that you're passing the reference of a transaction that exists on this integration",
            )
        details = objects.details(transaction)
        status = self._sandbox.dashboard.option("paystack", "verify_status") or details["status"]
        return success("Verification successful", details | {"status": status})

    def charge_authorization(self, request: ApiRequest) -> Document:
        """`POST /transaction/charge_authorization`: charge a card again, with the same e-mail address."""
        body = request.body
        _check(body)
        code = str(body.get("authorization_code") or "")
        if not self._is_known(code):
            raise ApiError(400, "Authorization code is invalid", code="invalid_params")
        authorization = self._authorization(code, body["email"])
        if authorization is None:
            raise ApiError(
                400,
                "Email does not match Authorization code. Authorization may be inactive or belong to a different "
                "email. Please confirm.",
                code="invalid_params",
            )
        transaction = self._insert(body, request.plan, status="pending")
        reference = transaction["reference"]
        if major(transaction["requested_subunits"]) == CHALLENGED:
            return self._challenge(transaction)
        if request.plan.outcome != NEVER_ANSWERS:
            self._payments.succeed(
                reference, channel="card", authorization=authorization, is_early=request.plan.callback_early
            )
        transaction = self._store.get("paystack", "transaction", reference) or transaction
        return success("Charge attempted", objects.details(transaction))

    def _challenge(self, transaction: Document) -> Document:
        """The bank asks who uses the card: the charge pauses until the customer has opened the page."""
        self._payments.begin(transaction)
        names = ("authorization_url", "access_code", "reference")
        data = {name: transaction[name] for name in names} | {"paused": True}
        return success("Please, redirect your customer to the authorization url provided", data)

    def get(self, request: ApiRequest, id: int) -> Document:
        """`GET /transaction/{id}`."""
        found = self._store.find("paystack", "transaction", id=id)
        if not found:
            raise not_found("Transaction")
        return success("Transaction retrieved", objects.details(found[0]))

    def list_transactions(self, request: ApiRequest) -> Document:
        """`GET /transaction`: all, or those of one `?status=`, newest first."""
        status = request.query.get("status")
        members = {"status": status} if status else {}
        found = self._store.find("paystack", "transaction", **members)
        items = [objects.details(transaction) for transaction in reversed(found)]
        return page("Transactions retrieved", items, request.query)

    def _is_known(self, code: str) -> bool:
        paid = self._store.find("paystack", "transaction", status="success")
        return any(transaction["authorization"]["authorization_code"] == code for transaction in paid)

    def _authorization(self, code: str, email: str) -> Document | None:
        for transaction in self._store.find("paystack", "transaction", status="success", email=email):
            authorization: Document = transaction["authorization"]
            if authorization["authorization_code"] == code and authorization["reusable"]:
                return authorization
        return None

    def _insert(self, body: Document, plan: Plan, *, status: str) -> Document:
        """The new transaction. Raises ApiError when its reference has been used before."""
        amount = subunits(body["amount"])
        assert amount is not None  # checked before
        access_code = new_code("")
        transaction: Document = {
            "id": new_id(),
            "reference": str(body.get("reference") or new_code("")),
            "access_code": access_code,
            "authorization_url": f"{self._sandbox.settings.public_url}/paystack/checkout/{access_code}",
            "requested_subunits": amount,
            "charged_subunits": amount,
            "amount": str(major(amount)),
            "currency": body.get("currency") or DEFAULT_CURRENCY,
            "email": body["email"],
            "customer": self._customer(body["email"]),
            "callback_url": body.get("callback_url") or None,
            "metadata": body.get("metadata"),
            "channels": body.get("channels") or None,
            "status": status,
            "gateway_response": objects.NOT_COMPLETED,
            "channel": "card",
            "fees": None,
            "receipt": None,
            "paid_at": None,
            "created_at": timestamp(self._sandbox.now()),
            "authorization": None,
            "refunds": "processed",
            "refunded": 0,
            "step": None,
            "plan": plan.to_json(),
        }
        if not self._store.insert("paystack", "transaction", transaction["reference"], transaction):
            raise ApiError(
                400,
                "Duplicate Transaction Reference",
                code="duplicate_reference",
                next_step="Ensure that you're generating a unique reference for every request",
            )
        return transaction

    def _customer(self, email: str) -> Document:
        """The one customer with this e-mail address."""
        new = {
            "id": new_id(),
            "first_name": None,
            "last_name": None,
            "email": email,
            "customer_code": new_code("CUS_"),
            "phone": None,
            "metadata": None,
            "risk_action": "default",
            "international_format_phone": None,
        }
        self._store.insert("paystack", "customer", email, new)
        return self._store.get("paystack", "customer", email) or new


def _check(body: Document) -> None:
    email = body.get("email")
    if not email:
        raise ApiError(400, "Email is required", code="missing_params")
    if not isinstance(email, str) or not EMAIL.fullmatch(email):
        raise ApiError(400, "Invalid Email Address Passed", code="invalid_email_address")
    if subunits(body.get("amount")) is None:
        raise ApiError(400, "Invalid Amount Sent", code="invalid_amount")
    if (body.get("currency") or DEFAULT_CURRENCY) not in CURRENCIES:
        raise ApiError(400, "Currency not supported by merchant", code="unsupported_currency")
    if body.get("reference") and not REFERENCE.fullmatch(str(body["reference"])):
        raise ApiError(
            400,
            "Invalid character in transaction reference. Only -, ., = and alphanumeric characters allowed",
            code="invalid_params",
        )
    _check_optional_fields(body)


def _check_optional_fields(body: Document) -> None:
    if body.get("callback_url") and not is_url(body["callback_url"]):
        raise ApiError(400, "Invalid callback URL", code="invalid_params")
    channels = body.get("channels")
    if channels and not (isinstance(channels, list) and all(isinstance(name, str) for name in channels)):
        raise ApiError(400, "Channels should be an array", code="invalid_params")
    metadata = body.get("metadata")
    if isinstance(metadata, str) and metadata:
        try:
            json_numbers.loads(metadata)
        except ValueError as error:
            raise ApiError(
                400, "Invalid metadata passed: send a JSON object", code="invalid_params"
            ) from error

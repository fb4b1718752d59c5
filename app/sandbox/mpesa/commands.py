"""Requests of the API operator: B2C, B2B, reversal, status, balance. Accepted at once, answered by a result message."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, g

from app import clock
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan, faulty
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.access import with_token
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.outcomes import Outcomes
from app.sandbox.mpesa.replies import (
    Refused,
    broken,
    conversation_id,
    invalid,
    request_id,
    spike_arrest,
    token_refused,
)
from app.sandbox.store import Document

PROCESSING_S: Final = 0.5
"""From the acceptance to the result."""

B2C_COMMANDS: Final = "BusinessPayment|SalaryPayment|PromotionPayment"
B2B_COMMANDS: Final = "BusinessPayBill|BusinessBuyGoods|BusinessPayToBulk"

Reader = Callable[[], Document]


class Commands:
    """Keeps what was accepted and lets it happen a moment later."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._outcomes = Outcomes(sandbox)
        sandbox.timers.register("mpesa.command", self._outcomes.settle)

    def accept(self, command: Document, plan: Plan) -> dict[str, Any]:
        """Keep the command; the acknowledgement. Refused for an OriginatorConversationID that was used before."""
        now = self._sandbox.now()
        conversation = conversation_id(now)
        own = f"{request_id()[:-2]}-1"
        command |= {
            "conversation": conversation, "own_originator": own, "state": "pending", "code": None, "receipt": None,
            "plan": plan.to_json(), "at": clock.iso_z(now),
        }  # fmt: skip
        command.setdefault("originator", own)
        with self._sandbox.database.transaction():
            kept = {"conversation": conversation}
            if not self._sandbox.store.insert("mpesa", "originator", command["originator"], kept):
                raise Refused(500, "500.002.1001", "Duplicate OriginatorConversationID.")
            self._sandbox.store.insert("mpesa", "command", conversation, command)
            if not plan.callback_early:
                self._sandbox.timers.set("mpesa.command", conversation, PROCESSING_S)
        if plan.callback_early:
            self._outcomes.settle(conversation)
        return {
            "ConversationID": conversation,
            "OriginatorConversationID": command["originator"],
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }


def add(blueprint: Blueprint, sandbox: Sandbox, commands: Commands, keys: Keys) -> None:
    """One path for each command; B2C has its older path too."""
    read = _Reading(sandbox, keys)
    paths: tuple[tuple[str, str, Reader, tuple[str, ...]], ...] = (
        ("/mpesa/b2c/v3/paymentrequest", "b2c", read.b2c, ("OriginatorConversationID",)),
        ("/mpesa/b2c/v1/paymentrequest", "b2c", read.b2c_without_id, ()),
        ("/mpesa/b2b/v1/paymentrequest", "b2b", read.b2b, ("AccountReference",)),
        ("/mpesa/reversal/v1/request", "reversal", read.reversal, ("TransactionID",)),
        ("/mpesa/transactionstatus/v1/query", "status", read.status, ("TransactionID", "OriginalConversationID")),
        ("/mpesa/accountbalance/v1/query", "balance", read.balance, ()),
    )  # fmt: skip
    for path, operation, reader, references in paths:
        view = _view(sandbox, commands, operation, reader, references)
        endpoint = f"{operation}_{path.split('/')[3]}"
        blueprint.add_url_rule(path, endpoint, view, methods=["POST"])


def _view(
    sandbox: Sandbox, commands: Commands, operation: str, reader: Reader, references: tuple[str, ...]
) -> Callable[[], Any]:
    def of_request() -> tuple[Decimal | None, str | None]:
        return fields.for_fault("Amount", *references)

    @with_token(sandbox)
    @faulty(
        sandbox, "mpesa", operation, of_request, error=broken, limited=spike_arrest, expired=token_refused
    )
    def view() -> dict[str, Any]:
        return commands.accept(reader(), g.plan)

    return view


class _Reading:
    """The fields of each command, checked; Refused names the first that is wrong."""

    def __init__(self, sandbox: Sandbox, keys: Keys) -> None:
        self._sandbox = sandbox
        self._keys = keys

    def b2c(self) -> Document:
        sent = fields.body("OriginatorConversationID")
        originator = fields.words(sent, "OriginatorConversationID", 1, 100)
        return self._b2c(sent, occasion="Occassion") | {"originator": originator, "reference": originator}

    def b2c_without_id(self) -> Document:
        sent = fields.body("InitiatorName")
        command = self._b2c(sent, occasion="Occasion")
        return command | {"reference": fields.words(sent, "Occasion", 1, 100, is_optional=True) or "b2c"}

    def _b2c(self, sent: dict[str, Any], *, occasion: str) -> Document:
        operator = self._operator(sent, "InitiatorName")
        kind = fields.text(sent, "CommandID", B2C_COMMANDS)
        amount = fields.shillings(sent)
        party_a = fields.text(sent, "PartyA", fields.SHORTCODE)
        party_b = fields.text(sent, "PartyB", fields.MSISDN)
        fields.words(sent, "Remarks", 2, 100)
        fields.words(sent, occasion, 1, 100, is_optional=True)
        return {
            "operation": "b2c", "command": kind, "amount": amount, "party_a": party_a, "party_b": party_b,
            "is_own": party_a == self._sandbox.dashboard.credential("mpesa", "b2c_shortcode"),
            **operator, **self._urls(sent),
        }  # fmt: skip

    def b2b(self) -> Document:
        sent = fields.body("Initiator")
        operator = self._operator(sent, "Initiator")
        kind = fields.text(sent, "CommandID", B2B_COMMANDS)
        fields.text(sent, "SenderIdentifierType", "4")
        # The portal knows 4 alone; many clients send 2 for a till.
        fields.text(sent, "RecieverIdentifierType", "2|4" if kind == "BusinessBuyGoods" else "4")
        amount = fields.shillings(sent)
        party_a = fields.text(sent, "PartyA", fields.SHORTCODE)
        party_b = fields.text(sent, "PartyB", fields.SHORTCODE)
        is_optional = kind != "BusinessPayBill"
        reference = fields.words(sent, "AccountReference", 1, 13, is_optional=is_optional)
        fields.text(sent, "Requester", fields.MSISDN, is_optional=True)
        fields.words(sent, "Remarks", 1, 100)
        return {
            "operation": "b2b", "command": kind, "amount": amount, "party_a": party_a, "party_b": party_b,
            "reference": reference, "is_own": party_a == self._sandbox.dashboard.credential("mpesa", "b2b_shortcode"),
            **operator, **self._urls(sent),
        }  # fmt: skip

    def reversal(self) -> Document:
        sent = fields.body("Initiator")
        operator = self._operator(sent, "Initiator")
        fields.text(sent, "CommandID", "TransactionReversal")
        receipt = fields.text(sent, "TransactionID", r"[A-Z0-9]{10}")
        amount = fields.shillings(sent)
        party = fields.text(sent, "ReceiverParty", fields.SHORTCODE)
        fields.text(sent, "RecieverIdentifierType", "11")
        fields.words(sent, "Remarks", 2, 100)
        return {
            "operation": "reversal", "amount": amount, "party_a": party, "of_receipt": receipt,
            "is_own": party == self._sandbox.dashboard.credential("mpesa", "shortcode"),
            **operator, **self._urls(sent),
        }  # fmt: skip

    def status(self) -> Document:
        sent = fields.body("Initiator")
        operator = self._operator(sent, "Initiator")
        fields.text(sent, "CommandID", "TransactionStatusQuery")
        receipt = fields.text(sent, "TransactionID", r"[A-Z0-9]{10}", is_optional=True)
        # The newer portal writes Original…, the older one Originator…
        names = ("OriginalConversationID", "OriginatorConversationID")
        original = next((fields.words(sent, name, 1, 100) for name in names if sent.get(name)), "")
        if not receipt and not original:
            raise invalid("TransactionID")
        party = fields.text(sent, "PartyA", r"\d{5,12}")
        fields.text(sent, "IdentifierType", "1|2|4")
        fields.words(sent, "Remarks", 1, 100)
        fields.words(sent, "Occasion", 1, 100, is_optional=True)
        return {
            "operation": "status", "of_receipt": receipt, "of_conversation": original, "party_a": party,
            "is_own": True, **operator, **self._urls(sent),
        }  # fmt: skip

    def balance(self) -> Document:
        sent = fields.body("Initiator")
        operator = self._operator(sent, "Initiator")
        fields.text(sent, "CommandID", "AccountBalance")
        party = fields.text(sent, "PartyA", fields.SHORTCODE)
        fields.text(sent, "IdentifierType", "4")
        fields.words(sent, "Remarks", 1, 100)
        return {
            "operation": "balance",
            "party_a": party,
            "is_own": True,
            **operator,
            **self._urls(sent),
        }

    def _operator(self, sent: dict[str, Any], name_field: str) -> Document:
        """Whether the operator is who he says: a wrong one is told by the result (2001), not by the answer."""
        name = fields.words(sent, name_field, 1, 100)
        credential = fields.words(sent, "SecurityCredential", 1, 2000)
        return {"is_operator": self._keys.is_operator(name, credential)}

    def _urls(self, sent: dict[str, Any]) -> Document:
        return {
            "timeout_url": fields.url(sent, "QueueTimeOutURL"),
            "result_url": fields.url(sent, "ResultURL"),
        }

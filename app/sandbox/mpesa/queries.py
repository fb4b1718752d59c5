"""Queries of the API operator: the status of a transaction, and the account balance."""

from __future__ import annotations

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.commands import Commands
from app.sandbox.mpesa.errors import invalid
from app.sandbox.mpesa.keys import Keys
from app.sandbox.store import Document


class Queries:
    """Commands that move no money."""

    def __init__(self, sandbox: Sandbox, commands: Commands, keys: Keys) -> None:
        self._sandbox, self._commands, self._keys = sandbox, commands, keys
        commands.register("status", lambda query: "0" if commands.subject_of(query) else "R000002")
        commands.register("balance", lambda query: "0")

    def status(self, request: ApiRequest) -> Document:
        """`POST /mpesa/transactionstatus/v1/query`."""
        body = request.body
        operator = fields.operator(body, "Initiator", self._keys)
        fields.match(body, "CommandID", "TransactionStatusQuery")
        receipt = fields.match(body, "TransactionID", fields.RECEIPT, is_optional=True)
        # The newer portal writes Original…, the older one Originator…
        names = ("OriginalConversationID", "OriginatorConversationID")
        conversation = next((fields.text(body, name, 1, 100) for name in names if body.get(name)), "")
        if not receipt and not conversation:
            raise invalid("TransactionID")
        party = fields.match(body, "PartyA", r"\d{5,12}")
        fields.match(body, "IdentifierType", "1|2|4")
        fields.text(body, "Remarks", 1, 100)
        fields.text(body, "Occasion", 1, 100, is_optional=True)
        command = {
            "operation": "status",
            "of_receipt": receipt,
            "of_conversation": conversation,
            "party_a": party,
            "is_own": True,
            **operator,
            **fields.result_urls(body),
        }
        return self._commands.accept(command, request.plan)

    def balance(self, request: ApiRequest) -> Document:
        """`POST /mpesa/accountbalance/v1/query`."""
        body = request.body
        operator = fields.operator(body, "Initiator", self._keys)
        fields.match(body, "CommandID", "AccountBalance")
        party = fields.match(body, "PartyA", fields.SHORTCODE)
        fields.match(body, "IdentifierType", "4")
        fields.text(body, "Remarks", 1, 100)
        command = {
            "operation": "balance",
            "party_a": party,
            "is_own": True,
            **operator,
            **fields.result_urls(body),
        }
        return self._commands.accept(command, request.plan)

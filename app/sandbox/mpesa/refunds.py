"""Refunds, which are reversals at Daraja: only of whole collections, and each once."""

from __future__ import annotations

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.commands import Commands
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.receipts import record_command
from app.sandbox.store import Document


class Refunds:
    """Reversal commands."""

    def __init__(self, sandbox: Sandbox, commands: Commands, keys: Keys) -> None:
        self._sandbox, self._commands, self._keys = sandbox, commands, keys
        commands.register("reversal", self._reverse)

    def create(self, request: ApiRequest) -> Document:
        """`POST /mpesa/reversal/v1/request`."""
        body = request.body
        operator = fields.operator(body, "Initiator", self._keys)
        fields.match(body, "CommandID", "TransactionReversal")
        receipt = fields.match(body, "TransactionID", fields.RECEIPT)
        amount = fields.shillings(body)
        party = fields.match(body, "ReceiverParty", fields.SHORTCODE)
        fields.match(body, "RecieverIdentifierType", "11")
        fields.text(body, "Remarks", 2, 100)
        command = {
            "operation": "reversal",
            "amount": amount,
            "party_a": party,
            "of_receipt": receipt,
            "is_own": party == self._sandbox.dashboard.credential("mpesa", "shortcode"),
            **operator,
            **fields.result_urls(body),
        }
        return self._commands.accept(command, request.plan)

    def _reverse(self, command: Document) -> str:
        store = self._sandbox.store
        original = store.get("mpesa", "receipt", command["of_receipt"])
        if original is None or original["kind"] not in ("push", "c2b"):
            return "R000002"
        if original["is_reversed"]:
            return "R000001"
        if original["amount"] != command["amount"]:
            return "25"
        store.put("mpesa", "receipt", command["of_receipt"], {"is_reversed": True})
        command["party_b"] = original["phone"]
        reference = original["reference"]
        record_command(
            self._sandbox, command, kind="refund", receipt_reference=reference, reference=reference
        )
        return "0"

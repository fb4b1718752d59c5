"""Payouts: B2C to a phone, B2B to a paybill or till."""

from __future__ import annotations

from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.commands import Commands
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.receipts import record_command
from app.sandbox.store import Document

B2C_COMMANDS: Final = "BusinessPayment|SalaryPayment|PromotionPayment"
B2B_COMMANDS: Final = "BusinessPayBill|BusinessBuyGoods|BusinessPayToBulk"
B2C_MINIMUM: Final = 10
"""Shillings."""

MAGIC: Final = {7117: "17", 7126: "26", 7128: "2028", 7140: "2040", 7190: "7777"}
"""Amount of a payout in whole shillings → result code."""


class Payouts:
    """B2C and B2B commands."""

    def __init__(self, sandbox: Sandbox, commands: Commands, keys: Keys) -> None:
        self._sandbox, self._commands, self._keys = sandbox, commands, keys
        commands.register("b2c", self._pay_out)
        commands.register("b2b", self._pay_out)

    def b2c(self, request: ApiRequest) -> Document:
        """`POST /mpesa/b2c/v3/paymentrequest`."""
        originator = fields.text(request.body, "OriginatorConversationID", 1, 100)
        command = self._b2c(request.body, occasion_field="Occassion")
        command |= {"originator": originator, "reference": originator}
        return self._commands.accept(command, request.plan)

    def b2c_v1(self, request: ApiRequest) -> Document:
        """`POST /mpesa/b2c/v1/paymentrequest`, which has no OriginatorConversationID."""
        command = self._b2c(request.body, occasion_field="Occasion")
        command["reference"] = fields.text(request.body, "Occasion", 1, 100, is_optional=True) or "b2c"
        return self._commands.accept(command, request.plan)

    def _b2c(self, body: dict[str, Any], *, occasion_field: str) -> Document:
        operator = fields.operator(body, "InitiatorName", self._keys)
        kind = fields.match(body, "CommandID", B2C_COMMANDS)
        amount = fields.shillings(body)
        party_a = fields.match(body, "PartyA", fields.SHORTCODE)
        party_b = fields.match(body, "PartyB", fields.MSISDN)
        fields.text(body, "Remarks", 2, 100)
        fields.text(body, occasion_field, 1, 100, is_optional=True)
        return {
            "operation": "b2c",
            "command": kind,
            "amount": amount,
            "party_a": party_a,
            "party_b": party_b,
            "is_own": party_a == self._sandbox.dashboard.credential("mpesa", "b2c_shortcode"),
            **operator,
            **fields.result_urls(body),
        }

    def b2b(self, request: ApiRequest) -> Document:
        """`POST /mpesa/b2b/v1/paymentrequest`."""
        body = request.body
        operator = fields.operator(body, "Initiator", self._keys)
        kind = fields.match(body, "CommandID", B2B_COMMANDS)
        fields.match(body, "SenderIdentifierType", "4")
        # The portal documents 4 only, but many clients send 2 for a till.
        fields.match(body, "RecieverIdentifierType", "2|4" if kind == "BusinessBuyGoods" else "4")
        amount = fields.shillings(body)
        party_a = fields.match(body, "PartyA", fields.SHORTCODE)
        party_b = fields.match(body, "PartyB", fields.SHORTCODE)
        is_optional = kind != "BusinessPayBill"
        reference = fields.text(body, "AccountReference", 1, 13, is_optional=is_optional)
        fields.match(body, "Requester", fields.MSISDN, is_optional=True)
        fields.text(body, "Remarks", 1, 100)
        command = {
            "operation": "b2b",
            "command": kind,
            "amount": amount,
            "party_a": party_a,
            "party_b": party_b,
            "reference": reference,
            "is_own": party_a == self._sandbox.dashboard.credential("mpesa", "b2b_shortcode"),
            **operator,
            **fields.result_urls(body),
        }
        return self._commands.accept(command, request.plan)

    def _pay_out(self, command: Document) -> str:
        amount = command["amount"]
        if command["operation"] == "b2c" and amount < B2C_MINIMUM:
            return "2"
        if amount > fields.MAXIMUM:
            return "3"
        if amount in MAGIC:
            return MAGIC[amount]
        reference = command["reference"]
        record_command(
            self._sandbox,
            command,
            kind="payout",
            receipt_reference=reference,
            reference=reference or command["originator"],
        )
        return "0"

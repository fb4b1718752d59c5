"""Paystack's lists: banks, an account's holder, balances."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, request

from app.sandbox.core import Sandbox
from app.sandbox.paystack import answers, banks
from app.sandbox.paystack.transfers import OPENING, balance

RESOLVABLE: Final = ("nuban", "ghipss")
UNKNOWN_ACCOUNT: Final = "9999999999"
"""The account whose holder cannot be told."""


class Directory:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def add_to(self, blueprint: Blueprint) -> None:
        balances = answers.steered(self._sandbox, "balance", has_magic=False)(self.balances)
        resolve = answers.steered(self._sandbox, "resolve", has_magic=False)(self.resolve)
        blueprint.add_url_rule("/bank", "banks", view_func=self.banks)
        blueprint.add_url_rule("/bank/resolve", "resolve", view_func=resolve)
        blueprint.add_url_rule("/balance", "balances", view_func=balances)

    def banks(self) -> Response:
        asked = {name: request.args.get(name) for name in ("country", "currency", "type")}
        return answers.ok("Banks retrieved", banks.listed(**asked))

    def resolve(self) -> Response:
        account, code = request.args.get("account_number", ""), request.args.get("bank_code", "")
        found = [bank for bank in banks.BANKS if bank.code == code and bank.type in RESOLVABLE]
        is_account = re.fullmatch(r"[0-9]{10,16}", account) is not None and account != UNKNOWN_ACCOUNT
        if not found or not is_account:
            return answers.refused(
                422,
                "Could not resolve account name. Check parameters or try again.",
                code="invalid_bank_code",
            )
        data = {"account_number": account, "account_name": "SANDBOX CUSTOMER", "bank_id": found[0].id}
        return answers.ok("Account number resolved", data)

    def balances(self) -> Response:
        return answers.ok(
            "Balances retrieved",
            [{"currency": currency, "balance": balance(self._sandbox, currency)} for currency in OPENING],
        )

"""Daraja's small parts: its errors, its ids, its times, its result codes."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final

from flask import Response, jsonify

NAIROBI: Final = timezone(timedelta(hours=3), "EAT")

RESULTS: Final[Mapping[str, str]] = MappingProxyType({
    "0": "The service request is processed successfully.",
    "1": "The balance is insufficient for the transaction.",
    "2": "Declined due to limit rule: less than the minimum transaction amount.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "8": "Declined due to limit rule: would exceed the maximum account balance.",
    "17": "Rule limited.",
    "25": "The parameter Amount is invalid.",
    "26": "System busy. The service request is rejected.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current subscriber.",
    "1019": "Transaction has expired.",
    "1025": "An error occurred while sending a push request.",
    "1032": "Request Cancelled by user.",
    "1037": "DS timeout user cannot be reached.",
    "2001": "The initiator information is invalid.",
    "2028": "The request is not permitted according to product assignment.",
    "2040": "Credit Party customer type (Unregistered or Registered Customer) can't be supported by the service.",
    "7777": "A result that no document lists.",
    "R000001": "The transaction has already been reversed.",
    "R000002": "The OriginalTransactionID is invalid.",
})  # fmt: skip
"""Result code → its sentence. 7777 is the sandbox's own: a code nobody knows."""


class Refused(Exception):
    """An answer that is no success: `errorCode` and `errorMessage` in Daraja's body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> Response:
        """As HTTP."""
        answer = jsonify(requestId=request_id(), errorCode=self.code, errorMessage=self.message)
        answer.status_code = self.status
        return answer


def invalid(field: str) -> Refused:
    """A field that is missing or wrong."""
    return Refused(400, "400.002.02", f"Bad Request - Invalid {field}")


def broken(status: int) -> Response:
    """A server error of this HTTP status."""
    code, message = {
        500: ("500.003.1001", "Internal Server Error"),
        503: ("500.003.02", "System is busy. Please try again in few minutes."),
    }.get(status, (f"{status}.001", "The request could not be served."))
    return Refused(status, code, message).answer()


def spike_arrest() -> Response:
    """Too many requests, as Daraja says it."""
    return Refused(500, "500.003.02", "Error Occurred: Spike Arrest Violation").answer()


def token_refused() -> Response:
    """A token that is unknown, killed by a newer one, or too old: HTTP 404, as Daraja has it."""
    return Refused(404, "404.001.03", "Invalid Access Token").answer()


def request_id() -> str:
    """Daraja's id of a request."""
    return f"{secrets.randbelow(90000) + 10000}-{secrets.randbelow(90000000) + 10000000}-1"


def conversation_id(at: datetime) -> str:
    """AG_20240706_20107f3c…"""
    return f"AG_{at.astimezone(NAIROBI):%Y%m%d}_{secrets.token_hex(10)}"


def checkout_id(at: datetime, phone: str) -> str:
    """ws_CO_, the local time to the millisecond, the end of the phone number."""
    local = at.astimezone(NAIROBI)
    return f"ws_CO_{local:%d%m%Y%H%M%S}{local.microsecond // 1000:03d}{phone[-9:]}"


def receipt_number() -> str:
    """Ten capital letters and digits, a letter first."""
    letters = string.ascii_uppercase
    return secrets.choice(letters) + "".join(secrets.choice(letters + string.digits) for _ in range(9))


def compact_time(at: datetime) -> int:
    """20191219102115, Kenyan time."""
    return int(f"{at.astimezone(NAIROBI):%Y%m%d%H%M%S}")


def dotted_time(at: datetime) -> str:
    """06.07.2024 22:48:52, Kenyan time: only B2C writes it so."""
    return f"{at.astimezone(NAIROBI):%d.%m.%Y %H:%M:%S}"

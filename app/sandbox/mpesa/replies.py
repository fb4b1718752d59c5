"""The ids, times and result codes in Daraja's answers."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final

from app.sandbox.core import Sandbox

NAIROBI: Final = timezone(timedelta(hours=3), "EAT")

RESULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
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
        "1036": "[STK_CB - ]SMSC ACK timeout.",
        "1037": "DS timeout user cannot be reached.",
        "2001": "The initiator information is invalid.",
        "2028": "The request is not permitted according to product assignment.",
        "2040": "Credit Party customer type (Unregistered or Registered Customer) can't be supported by the service.",
        "7777": "A result that no document lists.",
        "E3008": "Error, the user has a bad debt contract.",
        "R000001": "The transaction has already been reversed.",
        "R000002": "The OriginalTransactionID is invalid.",
    }
)
"""Result code → its description. 7777 is a code that Daraja does not document."""


def written(sandbox: Sandbox, code: str) -> str:
    """`code` as this Daraja writes it: success is `0`, or the text of the option `success_code`."""
    return sandbox.dashboard.option("mpesa", "success_code") or code if code == "0" else code


def as_number(code: str) -> int | str:
    """`code` as a JSON number, where it is one without leading zeros."""
    is_number = code.isdigit() and str(int(code)) == code
    return int(code) if is_number else code


def request_id() -> str:
    """Daraja's id of a request."""
    return f"{secrets.randbelow(90000) + 10000}-{secrets.randbelow(90000000) + 10000000}-1"


def conversation_id(at: datetime) -> str:
    """AG_20240706_20107f3c…"""
    return f"AG_{at.astimezone(NAIROBI):%Y%m%d}_{secrets.token_hex(10)}"


def checkout_id(at: datetime, phone: str) -> str:
    """ws_CO_, the local time to the millisecond, and the last nine digits of the phone number."""
    local = at.astimezone(NAIROBI)
    return f"ws_CO_{local:%d%m%Y%H%M%S}{local.microsecond // 1000:03d}{phone[-9:]}"


def receipt_number() -> str:
    """Ten capital letters and digits, beginning with a letter."""
    letters = string.ascii_uppercase
    return secrets.choice(letters) + "".join(secrets.choice(letters + string.digits) for _ in range(9))


def compact_time(at: datetime) -> int:
    """20191219102115, in Kenyan time."""
    return int(f"{at.astimezone(NAIROBI):%Y%m%d%H%M%S}")


def dotted_time(at: datetime) -> str:
    """06.07.2024 22:48:52, in Kenyan time: the format of B2C results."""
    return f"{at.astimezone(NAIROBI):%d.%m.%Y %H:%M:%S}"

"""The result messages. Each follows its own sample in the portal: numbers or texts, a list or one object."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from app.sandbox.core import Sandbox
from app.sandbox.mpesa.receipts import balance
from app.sandbox.mpesa.replies import RESULTS, as_number, compact_time, dotted_time, written
from app.sandbox.store import Document

NO_TRANSACTION: Final = {"b2c": "SKE0000000", "b2b": "OAK0000000"}
"""The TransactionID of a failed command: a fixed value."""

Message = dict[str, Any]
Parameter = dict[str, Any]

STATUS_WORDS: Final = {"done": "Completed", "pending": "Initiated", "failed": "Declined"}


def result(sandbox: Sandbox, command: Document, subject: Document | None, originator: str) -> Message:
    """The message for ResultURL. subject: what a status query is about."""
    operation, is_done = command["operation"], command["code"] == "0"
    code = written(sandbox, command["code"])
    # Two samples have their codes as texts, the others as numbers. R000001 can only be a text.
    is_text = is_done and operation in ("b2b", "balance")
    message: Message = {
        "ResultType": "0" if is_text else 0,
        "ResultCode": code if is_text else as_number(code),
        "ResultDesc": RESULTS[command["code"]],
        "OriginatorConversationID": originator,
        "ConversationID": command["conversation"],
        "TransactionID": command["receipt"] or NO_TRANSACTION.get(operation, "0000000000"),
    }
    parameters = _parameters(sandbox, command, subject) if is_done else _of_failure(sandbox, operation)
    if parameters is not None:
        message["ResultParameters"] = {"ResultParameter": parameters}
    message["ReferenceData"] = {"ReferenceItem": _reference(command)}
    return {"Result": message}


def timed_out(command: Document) -> Message:
    """The message for QueueTimeOutURL. It does not include the outcome."""
    return {
        "Result": {
            "ResultType": 1,
            "ResultDesc": "The service request timed out in the queue.",
            "OriginatorConversationID": command["originator"],
            "ConversationID": command["conversation"],
        }
    }


def add_a_shilling(message: Message) -> None:
    """Make the amount in the message wrong."""
    parameters = message["Result"].get("ResultParameters", {}).get("ResultParameter", [])
    for parameter in parameters if isinstance(parameters, list) else [parameters]:
        if parameter["Key"] in ("Amount", "TransactionAmount"):
            kind = type(parameter["Value"])
            more = Decimal(str(parameter["Value"])) + 1
            parameter["Value"] = str(more) if kind is str else kind(more)


def _parameters(sandbox: Sandbox, command: Document, subject: Document | None) -> list[Parameter]:
    match command["operation"]:
        case "b2c":
            return _b2c(sandbox, command)
        case "b2b":
            return _b2b(sandbox, command)
        case "reversal":
            return _reversal(sandbox, command)
        case "balance":
            return _balance(sandbox)
    assert subject is not None, "a successful status query has a subject"
    return _status(sandbox, subject)


def _of_failure(sandbox: Sandbox, operation: str) -> Parameter | None:
    """Only B2B has a parameter: one object, not a list."""
    if operation == "b2b":
        return {"Key": "BOCompletedTime", "Value": compact_time(sandbox.now())}
    return None


def _reference(command: Document) -> Parameter | list[Parameter]:
    url = {"Key": "QueueTimeoutURL", "Value": command["timeout_url"]}
    if command["operation"] == "b2b":
        bill = {"Key": "BillReferenceNumber", "Value": command["reference"]}
        return [bill, url, {"Key": "Occassion"}]
    return url


def _b2c(sandbox: Sandbox, command: Document) -> list[Parameter]:
    available = float(balance(sandbox))
    return _pairs(
        TransactionAmount=command["amount"],
        TransactionReceipt=command["receipt"],
        ReceiverPartyPublicName=f"{command['party_b']} - JOHN DOE",
        TransactionCompletedDateTime=dotted_time(sandbox.now()),
        B2CUtilityAccountAvailableFunds=available,
        B2CWorkingAccountAvailableFunds=available,
        B2CRecipientIsRegisteredCustomer="Y",
        B2CChargesPaidAccountAvailableFunds=0.0,
    )


def _b2b(sandbox: Sandbox, command: Document) -> list[Parameter]:
    available = balance(sandbox)
    return _pairs(
        DebitAccountBalance=_braced(available),
        Amount=f"{command['amount']}.00",
        DebitPartyAffectedAccountBalance=f"Working Account|KES|{available:.2f}|{available:.2f}|0.00|0.00",
        TransCompletedTime=compact_time(sandbox.now()),
        DebitPartyCharges="",
        ReceiverPartyPublicName=f"{command['party_b']} - sandbox business",
        Currency="KES",
        InitiatorAccountCurrentBalance=_braced(available),
    )


def _reversal(sandbox: Sandbox, command: Document) -> list[Parameter]:
    available = balance(sandbox)
    return _pairs(
        DebitAccountBalance=f"Utility Account|KES|{available:.2f}|{available:.2f}|0.00|0.00",
        Amount=command["amount"],
        TransCompletedTime=compact_time(sandbox.now()),
        OriginalTransactionID=command["of_receipt"],
        Charge=0,
        CreditPartyPublicName=f"{command['party_b']} - John Doe",
        DebitPartyPublicName=f"{command['party_a']} - sandbox merchant",
    )


def _balance(sandbox: Sandbox) -> list[Parameter]:
    available = balance(sandbox)
    accounts = ("Working Account", "Utility Account")
    line = "&".join(f"{account}|KES|{available:.2f}|{available:.2f}|0.00|0.00" for account in accounts)
    return _pairs(AccountBalance=line, BOCompletedTime=compact_time(sandbox.now()))


def _status(sandbox: Sandbox, subject: Document) -> list[Parameter]:
    at = compact_time(datetime.fromisoformat(subject["at"]))
    fixed = _pairs(
        DebitPartyName=f"{subject['party_a']} - sandbox merchant",
        CreditPartyName=f"{subject.get('party_b', '')} - John Doe",
        OriginatorConversationID=subject["originator"],
        InitiatedTime=at,
        DebitAccountType="Utility Account",
        DebitPartyCharges="",
        ReasonType="Business Payment to Customer via API",
        TransactionStatus=STATUS_WORDS[subject["state"]],
        FinalisedTime=compact_time(sandbox.now()) if subject["state"] == "pending" else at,
        Amount=str(subject["amount"]),
        ConversationID=subject["conversation"],
    )
    fixed.insert(6, {"Key": "TransactionReason"})
    if subject["receipt"]:
        fixed += _pairs(ReceiptNo=subject["receipt"])
    return fixed


def _pairs(**values: Any) -> list[Parameter]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _braced(amount: Decimal) -> str:
    """A balance as in B2B results: a text that resembles JSON."""
    return f"{{Amount={{CurrencyCode=KES, MinimumAmount={int(amount * 100)}, BasicAmount={amount:.2f}}}}}"

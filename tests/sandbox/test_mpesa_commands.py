"""M-Pesa's payouts, reversals, queries and C2B over real HTTP, as Daraja's portal describes them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding

from tests.support.daraja import (
    B2B,
    B2C,
    PHONE,
    REVERSAL,
    STATUS,
    Merchant,
    metadata,
    parameters,
)
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(tmp_path_factory.mktemp("mpesa"), autopay_s=0.1) as running:
        yield running


@pytest.fixture
def merchant(sandbox: RunningSandbox) -> Iterator[Merchant]:
    sandbox.reset()
    with CallbackReceiver() as receiver:
        yield Merchant(sandbox, receiver)


# --- payouts


def test_b2c_pays_and_refuses_a_repeated_id(merchant: Merchant) -> None:
    ack = merchant.post(B2C, merchant.b2c_body(100)).json()
    assert ack["OriginatorConversationID"] == "payout-1" and ack["ResponseCode"] == "0"
    again = merchant.post(B2C, merchant.b2c_body(100))
    assert (again.status_code, again.json()["errorCode"]) == (500, "500.002.1001")
    result = merchant.result()
    found = parameters(result)
    assert result["ResultCode"] == 0 and result["ConversationID"] == ack["ConversationID"]
    assert result["OriginatorConversationID"] == "payout-1"
    assert found["TransactionAmount"] == 100 and found["TransactionReceipt"] == result["TransactionID"]
    assert re.fullmatch(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d", found["TransactionCompletedDateTime"])
    assert result["ReferenceData"]["ReferenceItem"]["Key"] == "QueueTimeoutURL"
    entries = merchant.sandbox.book("mpesa", "payout-1")["entries"]
    assert [(entry["kind"], entry["amount"]) for entry in entries] == [("payout", "100.00")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Amount": 9}, 2),
        ({"Amount": 7101}, 1),
        ({"Amount": 7140}, 2040),
        ({"SecurityCredential": "eHg="}, 2001),
        ({"InitiatorName": "invalid"}, 2001),
        ({"PartyA": "600001"}, 2028),
    ],
)
def test_b2c_failures_are_in_the_result(merchant: Merchant, change: dict[str, Any], code: int) -> None:
    assert merchant.post(B2C, merchant.b2c_body(**change)).status_code == 200
    result = merchant.result()
    assert result["ResultCode"] == code and "ResultParameters" not in result
    assert result["TransactionID"] == "SKE0000000"
    assert merchant.sandbox.book("mpesa")["entries"] == []


def test_b2c_fields(merchant: Merchant) -> None:
    for field, value in [
        ("OriginatorConversationID", ""),
        ("CommandID", "X"),
        ("PartyB", "0700"),
        ("Remarks", "x"),
        ("ResultURL", None),
        ("Occassion", "x" * 101),
    ]:
        answer = merchant.post(B2C, merchant.b2c_body(**{field: value}))
        assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"


def test_a_password_encrypted_with_the_certificate(merchant: Merchant) -> None:
    pem = requests.get(f"{merchant.sandbox.url}/sandbox/mpesa/certificate", timeout=30).content
    key: Any = x509.load_pem_x509_certificate(pem).public_key()
    credential = base64.b64encode(key.encrypt(b"Sandbox#2026", padding.PKCS1v15())).decode()
    assert len(credential) == 344
    merchant.post(B2C, merchant.b2c_body(SecurityCredential=credential))
    assert merchant.result()["ResultCode"] == 0
    wrong = base64.b64encode(key.encrypt(b"Sandbox#2027", padding.PKCS1v15())).decode()
    merchant.post(B2C, merchant.b2c_body(id="payout-2", SecurityCredential=wrong))
    assert merchant.result(2)["ResultCode"] == 2001


def test_b2b_has_texts_in_success_and_numbers_in_failure(merchant: Merchant) -> None:
    ack = merchant.post(B2B, merchant.b2b_body()).json()
    assert ack["OriginatorConversationID"] != ack["ConversationID"]
    result = merchant.result()
    assert (result["ResultType"], result["ResultCode"]) == ("0", "0")
    assert parameters(result)["Amount"] == "190.00"
    assert parameters(result)["DebitAccountBalance"].startswith("{Amount={CurrencyCode=KES, ")
    assert result["ReferenceData"]["ReferenceItem"][0] == {"Key": "BillReferenceNumber", "Value": "BILL7"}
    merchant.post(B2B, merchant.b2b_body(7101, RecieverIdentifierType="2"))
    failed = merchant.result(2)
    assert failed["ResultCode"] == 1 and failed["TransactionID"] == "OAK0000000"
    assert failed["ResultParameters"]["ResultParameter"]["Key"] == "BOCompletedTime"
    assert merchant.sandbox.book("mpesa", "BILL7")["totals"]["KES"]["payout"] == "190.00"


def test_b2b_is_not_idempotent(merchant: Merchant) -> None:
    for count in (1, 2):
        merchant.post(B2B, merchant.b2b_body() | {"OriginatorConversationID": "mine"})
        merchant.result(count)
    assert merchant.net() == "-380.00"


def test_a_payout_with_a_timeout_is_done_and_can_be_queried(merchant: Merchant) -> None:
    merchant.post(B2C, merchant.b2c_body(7103))
    late = json.loads(merchant.receiver.wait_for(1, path="/late")[0].body)["Result"]
    assert late["OriginatorConversationID"] == "payout-1" and "ResultCode" not in late
    merchant.post(STATUS, merchant.status_body(OriginalConversationID="payout-1"))
    found = parameters(merchant.result())
    assert found["TransactionStatus"] == "Completed" and found["Amount"] == "7103"
    assert found["OriginatorConversationID"] == "payout-1" and found["ReceiptNo"]
    assert merchant.net() == "-7103.00"


# --- reversal, status, balance


def test_a_payment_is_reversed_once_and_in_full(merchant: Merchant) -> None:
    receipt = merchant.paid(100)
    for count, (amount, code) in enumerate([(99, 25), (100, 0), (100, "R000001")], 1):
        merchant.post(REVERSAL, merchant.reversal_body(receipt, amount))
        result = merchant.result(count)
        assert result["ResultCode"] == code
        if code == 0:
            assert parameters(result)["OriginalTransactionID"] == receipt
    merchant.post(REVERSAL, merchant.reversal_body("AAAAAAAAAA"))
    assert merchant.result(4)["ResultCode"] == "R000002"
    kinds = [entry["kind"] for entry in merchant.sandbox.book("mpesa", "ORDER1")["entries"]]
    assert kinds == ["charge", "refund"] and merchant.net() == "0.00"


def test_a_payout_cannot_be_reversed(merchant: Merchant) -> None:
    merchant.post(B2C, merchant.b2c_body(100))
    merchant.post(REVERSAL, merchant.reversal_body(merchant.result()["TransactionID"]))
    assert merchant.result(2)["ResultCode"] == "R000002"


def test_status_by_receipt_and_by_conversation_and_of_an_unknown_one(merchant: Merchant) -> None:
    receipt = merchant.paid(100)
    merchant.post(STATUS, merchant.status_body(TransactionID=receipt))
    assert parameters(merchant.result())["ReceiptNo"] == receipt
    ack = merchant.post(B2C, merchant.b2c_body(7101)).json()
    merchant.result(2)
    merchant.post(STATUS, merchant.status_body(OriginatorConversationID=ack["OriginatorConversationID"]))
    assert parameters(merchant.result(3))["TransactionStatus"] == "Declined"
    # The ConversationID of the answer identifies the result; a query by it is refused.
    for count, unknown in ((4, "never-sent"), (5, ack["ConversationID"])):
        merchant.post(STATUS, merchant.status_body(OriginalConversationID=unknown))
        assert merchant.result(count)["ResultCode"] == "R000002"
    assert merchant.post(STATUS, merchant.status_body()).json()["errorMessage"].endswith("TransactionID")


def test_the_balance_matches_the_records(merchant: Merchant) -> None:
    merchant.paid(100)
    body = merchant.operator(CommandID="AccountBalance", PartyA="174379", IdentifierType="4")
    merchant.post("/mpesa/accountbalance/v1/query", body)
    result = merchant.result()
    assert (result["ResultType"], result["ResultCode"]) == ("0", "0")
    assert parameters(result)["AccountBalance"].startswith("Working Account|KES|1000100.00|")


# --- C2B


def test_c2b_is_confirmed_at_the_registered_url(merchant: Merchant) -> None:
    urls = {"ConfirmationURL": f"{merchant.receiver.url}/c2b", "ValidationURL": f"{merchant.receiver.url}/v"}
    register = "/mpesa/c2b/v2/registerurl"
    body = {"ShortCode": "600984", "ResponseType": "Completed"} | urls
    bad = merchant.post(register, body | {"ConfirmationURL": f"{merchant.receiver.url}/MPESA/c2b"})
    assert bad.json()["errorMessage"] == "Bad Request - Invalid ConfirmationURL"
    assert "Invalid ResponseType" in merchant.post(register, body | {"ResponseType": "completed"}).text
    assert merchant.post(register, body).json()["OriginatorCoversationID"]
    payment = {"ShortCode": "600984", "CommandID": "CustomerPayBillOnline", "Amount": 5, "Msisdn": PHONE}
    merchant.post("/mpesa/c2b/v2/simulate", payment | {"BillRefNumber": "INV-5"})
    callback = json.loads(merchant.receiver.wait_for(1, path="/c2b")[0].body)
    assert callback["TransAmount"] == "5.00" and callback["BillRefNumber"] == "INV-5"
    assert callback["MSISDN"] == "2547 ***** 149" and all(
        isinstance(value, str) for value in callback.values()
    )
    assert merchant.sandbox.book("mpesa", "INV-5")["entries"][0]["id"] == callback["TransID"]


def test_the_pull_is_registered_once(merchant: Merchant) -> None:
    body = {"ShortCode": "174379", "RequestType": "Pull", "NominatedNumber": PHONE}
    body["CallBackURL"] = merchant.receiver.url
    answers = [merchant.post("/pulltransactions/v1/register", body).json() for _ in range(2)]
    assert [answer["ResponseStatus"] for answer in answers] == ["1000", "1001"]


def test_a_restart_completes_pending_operations(merchant: Merchant) -> None:
    merchant.sandbox.control({"autopay_s": 30})
    merchant.push(77)
    merchant.post(B2C, merchant.b2c_body(10))
    merchant.sandbox.kill()
    assert merchant.receiver.of("/stk") == []
    merchant.sandbox.start()
    merchant.sandbox.control({"advance_s": 40})
    assert metadata(merchant.reported())["Amount"] == 77
    assert merchant.result()["ResultCode"] == 0
    assert merchant.net() == "67.00"

"""What Daraja's messages say, also those of odd shape."""

from __future__ import annotations

import json

import pytest

from app.money import Money
from app.providers.base import Kind, State
from app.providers.errors import InvalidCallback
from tests.support.mpesa import (
    REFERENCE,
    mpesa,
    pushed,
    read,
    result,
)

PAID = [
    {"Name": "PhoneNumber", "Value": 254708374149},
    {"Name": "Balance"},
    {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
    {"Name": "TransactionDate", "Value": 20191219102115},
    {"Name": "Amount", "Value": 1.00},
]


def test_a_push_that_was_paid():
    event = read(pushed(0, PAID))
    assert (event.kind, event.provider_reference, event.is_verified) == (
        Kind.PAYMENT,
        "ws_CO_191220191020363925",
        False,
    )
    reported = event.reported
    assert (reported.state, reported.receipt, reported.amount) == (
        State.SUCCEEDED,
        "NLJ7RT61SV",
        Money(100, "KES"),
    )
    assert reported.response["Amount"] == "1.0"
    assert "254708374149" not in json.dumps(dict(reported.response))
    assert event.event_id == "push:ws_CO_191220191020363925:0" == read(pushed("0", PAID)).event_id


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (1032, State.CANCELLED),
        ("1037", State.FAILED),
        (1, State.FAILED),
        ("4999", State.PENDING),
        (88, State.FAILED),
    ],
)
def test_a_push_that_was_not_paid_never_has_a_receipt(code, state):
    event = read(pushed(code, PAID))
    assert (event.reported.state, event.reported.receipt, event.reported.amount) == (state, None, None)
    assert event.reported.code == str(code) and event.event_id.endswith(f":{code}")


@pytest.mark.parametrize(
    "items", [None, [], {}, {"Name": "Amount", "Value": 5}, [1, None, {"Name": 3}], "text"]
)
def test_odd_metadata_is_survived(items):
    assert read(pushed(0, items)).reported.state is State.SUCCEEDED


def test_one_item_that_is_no_list():
    assert read(pushed(0, {"Name": "Amount", "Value": 5})).reported.amount == Money(500, "KES")


B2C_PARAMETERS = [
    {"Key": "TransactionAmount", "Value": 10},
    {"Key": "TransactionReceipt", "Value": "SG632NMUAB"},
    {"Key": "ReceiverPartyPublicName", "Value": "254705912645 - JOHN DOE"},
    {"Key": "TransactionCompletedDateTime", "Value": "06.07.2024 22:48:52"},
    {"Key": "B2CUtilityAccountAvailableFunds", "Value": 8959269.60},
]


def test_a_payout_to_a_phone_that_was_made():
    for notice in ("", "payout"):
        event = read(result(0, B2C_PARAMETERS), notice)
        assert (event.kind, event.event_type) == (Kind.PAYOUT, "payout.result")
        assert (event.provider_reference, event.reference) == ("AG_20240706_1", "29112-34801843-1")
        reported = event.reported
        assert (reported.state, reported.receipt, reported.amount) == (
            State.SUCCEEDED,
            "SG632NMUAB",
            Money(1000, "KES"),
        )
        assert "JOHN" not in json.dumps(dict(reported.response))


def test_a_payout_to_a_till_that_was_made():
    parameters = [
        {"Key": "DebitAccountBalance", "Value": "{Amount={CurrencyCode=KES, BasicAmount=6186.83}}"},
        {"Key": "Amount", "Value": "190.00"},
        {"Key": "DebitPartyAffectedAccountBalance", "Value": "Working Account|KES|346568.83"},
        {"Key": "TransCompletedTime", "Value": "20221110110717"},
        {"Key": "DebitPartyCharges", "Value": ""},
        {"Key": "ReceiverPartyPublicName", "Value": "600000 - name"},
    ]
    event = read(result("0", parameters, ResultType="0"))
    assert (event.kind, event.reported.state) == (Kind.PAYOUT, State.SUCCEEDED)
    assert event.reported.amount == Money(19_000, "KES")


def test_a_reversal_that_was_made():
    parameters = [
        {"Key": "DebitAccountBalance", "Value": "Utility Account|KES|51661.00"},
        {"Key": "Amount", "Value": 100},
        {"Key": "OriginalTransactionID", "Value": "NLJ7RT61SV"},
        {"Key": "Charge", "Value": 0},
    ]
    event = read(result(0, parameters, TransactionID="SKE52PAWR9"))
    assert (event.kind, event.reported.state, event.reported.receipt) == (
        Kind.REFUND,
        State.SUCCEEDED,
        "SKE52PAWR9",
    )


def test_a_failure_has_no_receipt_and_its_kind_is_on_the_url():
    parameters = {"Key": "BOCompletedTime", "Value": 20200120164825}
    for notice, kind in (("", Kind.OTHER), ("payout", Kind.PAYOUT), ("refund", Kind.REFUND)):
        event = read(result(1, parameters, TransactionID="SKE0000000"), notice)
        assert (event.kind, event.reported.state) == (kind, State.FAILED)
        assert (event.reported.receipt, event.reported.amount, event.reported.code) == (None, None, "1")


@pytest.mark.parametrize("notice", ["refund", "till"])
def test_what_daraja_named_is_known_by_its_originator(notice):
    for message in (result(0, B2C_PARAMETERS), result(1)):
        event = read(message, notice)
        assert (event.reference, event.provider_reference) == (None, "29112-34801843-1")
    bare = read(result(0, OriginatorConversationID=None), notice)
    assert bare.provider_reference == "AG_20240706_1"
    about = read(status("Completed"), f"{notice}-status")
    assert (about.reference, about.provider_reference) == (None, REFERENCE)
    late = read(result(1), f"{notice}-timeout")
    assert (late.kind, late.provider_reference) == (read(result(1), notice).kind, "29112-34801843-1")


@pytest.mark.parametrize("open_type", [1, "1"])
def test_a_result_that_is_not_the_last_one_ends_nothing(open_type):
    """ResultType 1: further messages follow. The last one must not pass for a repeat of it."""
    for first, last, notice in (
        (result(1, ResultType=open_type), result(1), "payout"),
        (result(0, B2C_PARAMETERS, ResultType=open_type), result(0, B2C_PARAMETERS), "till"),
        (pushed(1037, ResultType=open_type), pushed(1037), ""),
        (status("Failed", ResultType=open_type), status("Failed"), "payout-status"),
    ):
        event, end = read(first, notice), read(last, notice)
        assert (event.reported.state, event.reported.receipt, event.reported.amount) == (
            State.PENDING,
            None,
            None,
        )
        assert end.reported.state in (State.FAILED, State.SUCCEEDED) and end.event_id != event.event_id


def test_a_duplicate_is_looked_up_and_an_earlier_reversal_too():
    assert read(result(15), "payout").reported.state is State.PENDING
    assert read(result("R000001"), "refund").reported.state is State.PENDING


def test_parameters_may_be_a_bare_list_and_a_key_may_come_twice():
    bare = result(0)
    bare["Result"]["ResultParameters"] = [*B2C_PARAMETERS, {"Key": "TransactionAmount", "Value": 99}]
    assert read(bare).reported.amount == Money(1000, "KES")


def status(word: object, code: object = 0, **more: object) -> dict:
    parameters = [
        {"Key": "DebitPartyName", "Value": "600984 - us"},
        {"Key": "OriginatorConversationID", "Value": REFERENCE},
        {"Key": "ConversationID", "Value": "AG_original"},
        {"Key": "TransactionStatus", "Value": word},
        {"Key": "Amount", "Value": "300"},
        {"Key": "ReceiptNo", "Value": "SG632NMUAB"},
        {"Key": "TransactionReason"},
    ]
    return result(code, parameters, ConversationID="AG_question", TransactionID="SKE0000000", **more)


def test_a_status_result_is_about_the_original():
    event = read(status("Completed"), "payout-status")
    assert (event.kind, event.provider_reference, event.reference) == (Kind.PAYOUT, "AG_original", REFERENCE)
    assert (event.reported.state, event.reported.receipt) == (State.SUCCEEDED, "SG632NMUAB")
    assert event.reported.amount == Money(30_000, "KES")
    assert read(status("Completed")).kind is Kind.OTHER


def test_a_status_result_may_write_its_keys_with_spaces():
    body = status("Completed")
    for parameter in body["Result"]["ResultParameters"]["ResultParameter"]:
        parameter["Key"] = parameter["Key"].replace("ConversationID", "Conversation ID")
        parameter["Key"] = parameter["Key"].replace("OriginatorC", "Originator C")
    event = read(body, "payout-status")
    assert (event.provider_reference, event.reference) == ("AG_original", REFERENCE)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Failed", State.FAILED),
        ("Declined", State.FAILED),
        ("Reversed", State.REVERSED),
        ("Pending", State.PENDING),
        ("An unknown word", State.PENDING),
        ("", State.PENDING),
        (None, State.PENDING),
    ],
)
def test_the_query_worked_is_not_the_payment_worked(word, state):
    event = read(status(word), "payout-status")
    assert (event.reported.state, event.reported.receipt, event.reported.amount) == (state, None, None)


def test_failed_inquiry_is_not_a_failed_payout():
    for code in (1, "21", 2001, 9876):
        assert read(result(code), "payout-status").reported.state is State.PENDING
        assert read(status("Failed", code), "payout-status").reported.state is State.PENDING


def test_a_status_query_that_worked_without_a_word_says_nothing():
    assert read(result(0), "refund-status").reported.state is State.PENDING


@pytest.mark.parametrize(
    "body", [result(1), {"anything": "at all"}, {"Result": {"ResultCode": 0}}, {"Result": 5}]
)
def test_a_queue_time_out_leaves_the_outcome_open(body):
    event = read(body, "payout-timeout")
    assert (event.kind, event.event_type, event.reported.state) == (
        Kind.PAYOUT,
        "payout.timeout",
        State.PENDING,
    )
    assert event.event_id == read(body, "payout-timeout").event_id


def test_a_customer_who_paid_from_the_menu():
    event = read(
        {
            "TransactionType": "Pay Bill",
            "TransID": "RKL51ZDR4F",
            "TransTime": "20231121121325",
            "TransAmount": "5.00",
            "BusinessShortCode": "600966",
            "BillRefNumber": "AB12CD34EF56",
            "MSISDN": "2547 ***** 126",
            "FirstName": "NICHOLAS",
        }
    )
    assert (event.kind, event.event_id, event.reported.receipt) == (
        Kind.OTHER,
        "c2b:RKL51ZDR4F",
        "RKL51ZDR4F",
    )
    assert event.reported.amount == Money(500, "KES")
    assert "NICHOLAS" not in json.dumps(dict(event.reported.response))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"5",
        b"[" * 100_000,
        {},
        {"Body": {}},
        {"Body": 5},
        {"Body": {"stkCallback": {}}},
        pushed(None),
        pushed({}),
        pushed(0, CheckoutRequestID=""),
        pushed(0, CheckoutRequestID="x" * 101),
        pushed(0, CheckoutRequestID=7),
        {"Result": {}},
        {"Result": []},
        result(None),
        result(0, ConversationID=None, OriginatorConversationID=5),
        {"TransID": None},
    ],
)
def test_what_cannot_be_read(body):
    with pytest.raises(InvalidCallback):
        read(body)


def test_event_ids_are_short_and_event_data_is_json():
    event = read(status("long " * 100), "payout-status")
    assert len(event.event_id) <= 255
    json.dumps(dict(event.reported.response))


def test_the_answer_to_a_callback():
    provider = mpesa()
    answer = provider.acknowledge(read(pushed(0, PAID)))
    assert (answer.status, dict(answer.body)) == (200, {"ResultCode": 0, "ResultDesc": "Accepted"})


@pytest.mark.parametrize(
    "body",
    [
        pushed(0, [{"Name": "Amount", "Value": "1,000"}]),
        pushed(0, [{"Name": "Amount", "Value": -5}]),
        pushed(0, [{"Name": "Amount", "Value": 1.005}]),
        pushed(0, [{"Name": "Amount", "Value": True}]),
        result(0, [{"Key": "TransactionAmount", "Value": {"a": 1}}]),
    ],
)
def test_an_amount_that_cannot_be_read_is_none(body):
    reported = read(body).reported
    assert (reported.state, reported.amount) == (State.SUCCEEDED, None)

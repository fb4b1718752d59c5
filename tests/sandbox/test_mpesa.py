"""M-Pesa's tokens and pushes over real HTTP, as Daraja's portal describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.daraja import (
    PHONE,
    PUSH,
    Merchant,
    metadata,
)
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(tmp_path_factory.mktemp("mpesa"), autopay_s=0.1) as running:
        yield running


@pytest.fixture
def merchant(sandbox: RunningSandbox) -> Iterator[Merchant]:
    sandbox.reset()
    with CallbackReceiver() as receiver:
        yield Merchant(sandbox, receiver)


# --- tokens


def test_a_new_token_ends_the_old_one(merchant: Merchant) -> None:
    old = merchant.token
    answer = merchant.new_token()
    assert answer.json()["expires_in"] == "3599"
    refused = merchant.post(PUSH, merchant.push_body())
    assert (refused.status_code, refused.json()["errorCode"]) == (404, "404.001.03")
    merchant.token = answer.json()["access_token"]
    assert merchant.token != old and merchant.push()["ResponseCode"] == "0"


def test_a_token_expires_after_an_hour(merchant: Merchant) -> None:
    merchant.sandbox.control({"advance_s": 3600})
    assert merchant.post(PUSH, merchant.push_body()).json()["errorCode"] == "404.001.03"


def test_token_requests_that_are_refused(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.url}/mpesa/oauth/v1/generate?grant_type=client_credentials"
    assert requests.get(url, timeout=30).json()["errorCode"] == "400.008.01"
    assert merchant.new_token(grant="password").json()["errorCode"] == "400.008.02"
    wrong = merchant.new_token(key="wrong")
    assert (wrong.status_code, wrong.content) == (400, b"")


def test_requests_without_token_by_get_and_to_unknown_paths(merchant: Merchant) -> None:
    base = f"{merchant.sandbox.url}/mpesa"
    answers = [
        requests.post(base + PUSH, json={}, timeout=30),
        requests.get(base + PUSH, timeout=30),
        requests.post(base + "/mpesa/stkpush/v9/x", json={}, timeout=30),
    ]
    assert [(answer.status_code, answer.json()["errorCode"]) for answer in answers] == [
        (404, "404.001.04"),
        (405, "405.001"),
        (404, "404.001.01"),
    ]


# --- pushes


def test_a_customer_pays(merchant: Merchant) -> None:
    ack = merchant.push(100)
    assert ack["ResponseCode"] == "0" and ack["CheckoutRequestID"].startswith("ws_CO_")
    callback = merchant.reported()
    assert callback["ResultCode"] == 0 and callback["CheckoutRequestID"] == ack["CheckoutRequestID"]
    assert callback["MerchantRequestID"] == ack["MerchantRequestID"]
    found = metadata(callback)
    assert b'"Amount", "Value": 100.0}' in merchant.receiver.received[0].body
    assert found["PhoneNumber"] == 254708374149 and isinstance(found["TransactionDate"], int)
    assert re.fullmatch("[A-Z0-9]{10}", found["MpesaReceiptNumber"])
    assert {"Name": "Balance"} in callback["CallbackMetadata"]["Item"]
    records = merchant.sandbox.book("mpesa", "ORDER1")
    assert [
        (entry["kind"], entry["amount"], entry["id"], entry["currency"]) for entry in records["entries"]
    ] == [("charge", "100.00", found["MpesaReceiptNumber"], "KES")]
    answer = merchant.query(ack)
    assert answer.status_code == 200 and answer.json()["ResultCode"] == "0"
    assert found["MpesaReceiptNumber"] not in answer.text and "Amount" not in answer.text


def test_the_query_of_a_pending_push_is_http_500(merchant: Merchant) -> None:
    merchant.sandbox.control({"autopay_s": "off"})
    answer = merchant.query(merchant.push())
    assert answer.status_code == 500
    assert answer.json()["errorCode"] == "500.001.1001"
    assert answer.json()["errorMessage"] == "The transaction is being processed"
    still = merchant.query(merchant.push(7149))
    assert (still.status_code, still.json()["ResultCode"]) == (200, "4999")


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (7101, 1),
        (7102, 1032),
        (7104, 2001),
        (7117, 17),
        (7126, 26),
        (7128, 2028),
        (7136, 1036),
        (7138, "E3008"),
        (7190, 7777),
        (250001, 3),
    ],
)
def test_pushes_that_fail(merchant: Merchant, amount: int, code: int | str) -> None:
    ack = merchant.push(amount)
    callback = merchant.reported()
    assert callback["ResultCode"] == code and "CallbackMetadata" not in callback
    assert merchant.query(ack).json()["ResultCode"] == str(code)
    assert merchant.sandbox.book("mpesa")["entries"] == []


def test_a_prompt_without_an_answer_ends_after_a_minute(merchant: Merchant) -> None:
    ack = merchant.push(7103)
    assert merchant.query(ack).status_code == 500
    merchant.sandbox.control({"advance_s": 59})
    assert merchant.query(ack).status_code == 500
    merchant.sandbox.control({"advance_s": 61})
    assert merchant.reported()["ResultCode"] == 1037


def test_a_locked_subscriber_is_refused_at_once(merchant: Merchant) -> None:
    answer = merchant.post(PUSH, merchant.push_body(7118))
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "500.001.1001")
    assert answer.json()["errorMessage"] == "Unable to lock subscriber"


def test_with_one_prompt_a_second_push_and_an_equal_push_are_refused(merchant: Merchant) -> None:
    merchant.sandbox.control({"autopay_s": "off", "options": {"mpesa": {"one_prompt": "on"}}})
    first = merchant.push(100)
    locked = merchant.post(PUSH, merchant.push_body(200))
    assert (locked.status_code, locked.json()["errorMessage"]) == (500, "Unable to lock subscriber")
    other = merchant.push(100, PhoneNumber="254712345678")
    assert merchant.query(other).status_code == 500
    page = f"{merchant.sandbox.url}/sandbox/phone/{first['CheckoutRequestID']}"
    requests.post(page, data={"do": "accept", "pin": "1234"}, timeout=30)
    assert merchant.reported()["ResultCode"] == 0
    again = merchant.push(100)
    assert merchant.reported(2)["ResultCode"] == 17
    assert merchant.query(again).json()["ResultCode"] == "17"
    merchant.sandbox.control({"advance_s": 121})
    assert merchant.query(merchant.push(100)).status_code == 500, "two minutes later it is a new payment"
    assert merchant.net() == "100.00"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("BusinessShortCode", "12"),
        ("Timestamp", "20211340000000"),
        ("TransactionType", "Pay"),
        ("Amount", 1.5),
        ("Amount", 0),
        ("Amount", True),
        ("PartyA", "0708374149"),
        ("PhoneNumber", "+254708374149"),
        ("PartyB", ""),
        ("CallBackURL", "ftp://x"),
        ("AccountReference", "x" * 13),
        ("AccountReference", "a b"),
        ("TransactionDesc", "x" * 14),
    ],
)
def test_an_invalid_field_is_named(merchant: Merchant, field: str, value: Any) -> None:
    answer = merchant.post(PUSH, merchant.push_body(**{field: value}))
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "400.002.02")
    assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"


def test_the_password_is_checked(merchant: Merchant) -> None:
    assert merchant.push_body()["Password"] == (
        "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZiNzJhZGExZWQyYzkxOTIwMjEwNjI4MDkyNDA4"
    )
    wrong = merchant.post(PUSH, merchant.push_body(Timestamp="20210628092409"))
    assert (wrong.status_code, wrong.json()["errorMessage"]) == (500, "Wrong credentials")
    unknown = merchant.post(PUSH, merchant.push_body(BusinessShortCode="600001"))
    assert unknown.json()["errorMessage"] == "Merchant does not exist"


def test_another_content_type_is_an_invalid_shortcode(merchant: Merchant) -> None:
    headers = {"Authorization": f"Bearer {merchant.token}", "Content-Type": "text/plain"}
    answer = requests.post(
        f"{merchant.sandbox.url}/mpesa{PUSH}",
        data=json.dumps(merchant.push_body()),
        headers=headers,
        timeout=30,
    )
    assert answer.json()["errorMessage"] == "Bad Request - Invalid BusinessShortCode"


def test_a_push_to_a_paybill_and_to_a_till(merchant: Merchant) -> None:
    merchant.push(PartyB="555555")
    assert merchant.reported()["ResultCode"] == 2028
    merchant.push(PartyB="555555", TransactionType="CustomerBuyGoodsOnline")
    assert merchant.reported(2)["ResultCode"] == 0


# --- faults of a push


def test_an_answer_is_dropped_after_the_push_was_made(merchant: Merchant) -> None:
    with pytest.raises(requests.ConnectionError):
        merchant.push(7001)
    assert metadata(merchant.reported())["Amount"] == 7001
    assert merchant.net() == "7001.00"


def test_errors_before_and_after(merchant: Merchant) -> None:
    before = merchant.post(PUSH, merchant.push_body(7003))
    assert before.status_code == 500 and before.json()["errorCode"]
    after = merchant.post(PUSH, merchant.push_body(7002))
    assert after.status_code == 500
    assert metadata(merchant.reported())["Amount"] == 7002
    assert merchant.net() == "7002.00"


def test_a_callback_before_the_answer(merchant: Merchant) -> None:
    ack = merchant.push(7007)
    first = json.loads(merchant.receiver.received[0].body)["Body"]["stkCallback"]
    assert first["CheckoutRequestID"] == ack["CheckoutRequestID"]


def test_a_payment_with_a_lost_callback_is_in_the_records_and_in_the_pull(merchant: Merchant) -> None:
    merchant.push(7005)
    wait_until(lambda: merchant.sandbox.book("mpesa")["entries"], "the customer pays")
    wait_until(lambda: merchant.sandbox.callbacks("mpesa"), "the callback is recorded")
    assert merchant.sandbox.callbacks("mpesa")[0]["status"] == "lost"
    assert merchant.receiver.received == []
    dates = {"StartDate": "2020-01-01 00:00:00", "EndDate": "2090-01-01 00:00:00"}
    body = {"ShortCode": "174379", "OffSetValue": "0"} | dates
    for method in ("GET", "POST"):
        headers = {"Authorization": f"Bearer {merchant.token}"}
        url = f"{merchant.sandbox.url}/mpesa/pulltransactions/v1/query"
        answer = requests.request(method, url, json=body, headers=headers, timeout=30).json()
        rows = answer["Response"][0]
        assert answer["ResponseCode"] == "1000"
        assert [(row["billreference"], row["amount"]) for row in rows] == [("ORDER1", "7005.00")]


def test_the_pull_of_a_till_and_of_an_empty_period(merchant: Merchant) -> None:
    merchant.push(80, PartyB="555555", TransactionType="CustomerBuyGoodsOnline")
    merchant.reported()
    body = {"ShortCode": "555555", "OffSetValue": "0", "StartDate": "2020-01-01 00:00:00"}
    path = "/pulltransactions/v1/query"
    (row,) = merchant.post(path, body | {"EndDate": "2090-01-01 00:00:00"}).json()["Response"][0]
    assert (row["transactiontype"], row["billreference"], row["amount"]) == (
        "c2b-buy-goods-debit",
        "",
        "80.00",
    )
    none = merchant.post(path, body | {"EndDate": "2020-01-02 00:00:00"}).json()
    assert (none["ResponseCode"], none["Transaction"], "Response" in none) == ("1001", "[[]]", False)


def test_three_copies_and_a_wrong_amount(merchant: Merchant) -> None:
    merchant.push(7006)
    assert len({one.body for one in merchant.receiver.wait_for(3)}) == 1
    merchant.push(7009)
    assert metadata(merchant.reported(4))["Amount"] == 7010
    assert merchant.net() == "14015.00"


def test_an_expired_token_and_too_many_requests(merchant: Merchant) -> None:
    assert merchant.post(PUSH, merchant.push_body(7011)).json()["errorCode"] == "404.001.03"
    assert merchant.post(PUSH, merchant.push_body(7011)).status_code == 200
    busy = merchant.post(PUSH, merchant.push_body(7010))
    assert (busy.status_code, busy.json()["errorCode"]) == (500, "500.003.02")


# --- the phone


def test_a_user_pays_rejects_and_mistypes(merchant: Merchant) -> None:
    merchant.sandbox.control({"autopay_s": "off"})
    for number, (form, code) in enumerate(
        [
            ({"do": "accept", "pin": "1234"}, 0),
            ({"do": "reject"}, 1032),
            ({"do": "accept", "pin": "0000"}, 2001),
        ],
        1,
    ):
        ack = merchant.push(50 + number)
        page = f"{merchant.sandbox.url}/sandbox/phone/{ack['CheckoutRequestID']}"
        assert f"KES {50 + number}.00" in requests.get(page, timeout=30).text
        listed = requests.get(f"{merchant.sandbox.url}/sandbox/phone", timeout=30).text
        assert ack["CheckoutRequestID"] in listed
        assert requests.post(page, data={"do": "accept", "pin": "12"}, timeout=30).status_code == 400
        after = requests.post(page, data=form, timeout=30)
        assert after.status_code == 200 and 'name="pin"' not in after.text
        assert merchant.reported(number)["ResultCode"] == code
        requests.post(page, data={"do": "accept", "pin": "1234"}, timeout=30)
    assert merchant.net() == "51.00"


def test_the_simulated_customer_does_not_answer_a_held_phone(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.url}/sandbox/phone/hold"
    assert requests.post(url, data={"number": PHONE, "do": "hold"}, timeout=30).status_code == 200
    held = merchant.push(60)
    merchant.push(61, PhoneNumber="254712345678")
    assert metadata(merchant.reported())["Amount"] == 61
    assert merchant.query(held).status_code == 500
    requests.post(url, data={"number": PHONE, "do": "release"}, timeout=30)
    merchant.push(62)
    assert metadata(merchant.reported(2))["Amount"] == 62


def test_the_phone_s_pages_run_no_script(merchant: Merchant) -> None:
    merchant.sandbox.control({"autopay_s": "off"})
    ack = merchant.push(51)
    for path in ("/sandbox/phone", f"/sandbox/phone/{ack['CheckoutRequestID']}"):
        page = requests.get(merchant.sandbox.url + path, timeout=30)
        policy = page.headers["Content-Security-Policy"]
        assert (
            "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        )
        assert "<script" not in page.text and " onclick" not in page.text and "style=" not in page.text
    bad = requests.post(f"{merchant.sandbox.url}/sandbox/phone/hold", data={"number": "<b>"}, timeout=30)
    assert bad.status_code == 400 and "<b>" not in bad.text

"""M-Pesa over HTTP: every kind of answer, and above all those after which money may have moved."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import clock
from app.money import Money
from app.providers.base import (
    ChargeRequest,
    Customer,
    Handle,
    PayoutHandle,
    PayoutMethod,
    PayoutRequest,
    RefundHandle,
    RefundRequest,
    State,
)
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from app.providers.mpesa import MpesaProvider
from tests.support.providers import DROP, HANG, MemoryTokens, Observed, Scripted, make_provider

TOKEN, PUSH, ASK = "/oauth/v1/generate", "/mpesa/stkpush/v1/processrequest", "/mpesa/stkpushquery/v1/query"
REVERSAL, B2C, B2B = (
    "/mpesa/reversal/v1/request",
    "/mpesa/b2c/v3/paymentrequest",
    "/mpesa/b2b/v1/paymentrequest",
)
STATUS, PULL = "/mpesa/transactionstatus/v1/query", "/pulltransactions/v1/query"

URL = "http://127.0.0.1:5000/callbacks/mpesa/secret-path"
REFERENCE = "0198c0de-0000-7000-8000-000000000001"
KES_100 = Money(10_000, "KES")
CHARGE = ChargeRequest(REFERENCE, "AB12CD34EF56", KES_100, Customer(phone="0708374149"), URL, URL)
HANDLE = Handle(
    REFERENCE, "AB12CD34EF56", KES_100, datetime(2026, 1, 1, tzinfo=UTC), "ws_CO_1", "NLJ7RT61SV", URL
)
REFUND = RefundRequest(REFERENCE, KES_100, HANDLE, "Returned", URL)
TO_PHONE = PayoutRequest(REFERENCE, KES_100, PayoutMethod.MPESA, {"phone_number": "254708374149"}, URL)
TO_TILL = PayoutRequest(REFERENCE, KES_100, PayoutMethod.TILL, {"till_number": "247247"}, URL)

PUSHED = {
    "MerchantRequestID": "2654-4b64", "CheckoutRequestID": "ws_CO_1", "ResponseCode": "0",
    "ResponseDescription": "Success. Request accepted for processing", "CustomerMessage": "Success.",
}  # fmt: skip
ACCEPTED = {
    "ConversationID": "AG_1", "OriginatorConversationID": "5118-111210482-1", "ResponseCode": "0",
    "ResponseDescription": "Accept the service request successfully.",
}  # fmt: skip


def refusal(code: str, message: str = "said no") -> dict:
    return {"requestId": "1-2-3", "errorCode": code, "errorMessage": message}


@pytest.fixture
def daraja():
    with Scripted() as server:
        yield server.on(TOKEN, (200, {"access_token": "token-1", "expires_in": "3599"}))


def mpesa(daraja: Scripted, **more: object) -> MpesaProvider:
    settings = {
        "consumer_key": "key", "consumer_secret": "s3cret", "shortcode": "174379", "passkey": "pass-key",
        "initiator": "testapi", "security_credential": "credential", "b2c_shortcode": "600984",
        "b2b_shortcode": "600992",
    }  # fmt: skip
    return make_provider(MpesaProvider, daraja.url, **(settings | more))


MOVES = {
    "charge": (PUSH, lambda provider: provider.charge(CHARGE)),
    "refund": (REVERSAL, lambda provider: provider.refund(REFUND)),
    "payout to a phone": (B2C, lambda provider: provider.pay_out(TO_PHONE)),
    "payout to a till": (B2B, lambda provider: provider.pay_out(TO_TILL)),
}
moves = pytest.mark.parametrize(("path", "move"), MOVES.values(), ids=MOVES.keys())

UNKNOWN = [
    DROP, (500, b""), (500, refusal("500.003.1001")), (500, refusal("500.999.99")), (502, b"<html>Bad Gateway</html>"),
    (503, refusal("")), (504, {}), (200, b"not JSON"), (200, b""), (200, []), (200, {}), (200, {"ResponseCode": None}),
    (200, {"ResponseCode": "0"}), (200, {"ResponseCode": {"a": 1}}), (200, PUSHED | ACCEPTED | {"CheckoutRequestID": 7,
    "ConversationID": ""}), (301, {}), (403, b"<html>blocked</html>"), (400, b""), (404, b"<html>"),
    (200, {"errorCode": "400.002.02"}), (200, {name: value for name, value in (PUSHED | ACCEPTED).items() if name != "ResponseCode"}), (500, refusal("500.001.1001", "The transaction is being processed")),
]  # fmt: skip


@moves
def test_what_is_not_clear_may_have_moved_money_and_is_never_sent_again(daraja, path, move):
    for answer in UNKNOWN:
        daraja.on(path, answer)
        before = len(daraja.asked(path))
        with pytest.raises(OutcomeUnknown) as raised:
            move(mpesa(daraja))
        assert not isinstance(raised.value, DuplicateReference), answer
        assert len(daraja.asked(path)) == before + 1, answer


@moves
def test_no_answer_in_time(daraja, path, move):
    daraja.on(path, HANG)
    observed = Observed()
    provider = mpesa(daraja, observe=observed, timeout_s=0.3)
    with pytest.raises(OutcomeUnknown):
        move(provider)
    assert observed.last.outcome == "unknown"


@moves
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, {"ResponseCode": "1", "ResponseDescription": "Rejected"}), Declined),
        ((200, {"ResponseCode": 26, "ResponseDescription": "Busy"}), Declined),
        ((200, {"ResponseCode": "15", "ResponseDescription": "Duplicate"}), DuplicateReference),
        ((200, {"ResponseCode": "R000001", "ResponseDescription": "Reversed"}), DuplicateReference),
        ((400, refusal("400.002.02", "Bad Request - Invalid Amount")), InvalidRequest),
        ((400, refusal("400.777.77")), InvalidRequest),
        ((500, refusal("500.001.1001", "Unable to lock subscriber, a transaction is in process")), Declined),
        ((500, refusal("500.001.1001", "Merchant does not exist")), InvalidRequest),
        ((500, refusal("500.001.1001", "Wrong credentials")), AuthFailed),
        ((500, refusal("500.002.1001")), DuplicateReference),
        ((500, refusal("500.003.02", "Spike Arrest")), RateLimited),
        ((500, refusal("500.003.03", "Quota")), RateLimited),
    ],
)
def test_what_is_said_clearly(daraja, path, move, answer, error):
    daraja.on(path, answer)
    with pytest.raises(error) as raised:
        move(mpesa(daraja))
    assert type(raised.value) is error
    json.dumps(raised.value.response)


def test_a_locked_subscriber_may_be_asked_again_in_a_minute(daraja):
    daraja.on(PUSH, (500, refusal("500.001.1001", "Unable to lock subscriber")))
    with pytest.raises(Declined) as raised:
        mpesa(daraja).charge(CHARGE)
    assert (raised.value.retry_after_s, raised.value.message) == (60, "Unable to lock subscriber")


# --- what goes out


def test_a_push(daraja):
    daraja.on(PUSH, (200, PUSHED))
    made = mpesa(daraja).charge(CHARGE)
    assert (made.state, made.provider_reference, made.amount, made.receipt) == (
        State.PENDING,
        "ws_CO_1",
        None,
        None,
    )
    assert made.response["MerchantRequestID"] == "2654-4b64"
    (asked,), (token,) = daraja.asked(PUSH), daraja.asked(TOKEN)
    assert (asked.method, asked.headers["authorization"]) == ("POST", "Bearer token-1")
    assert asked.headers["content-type"] == "application/json"
    password = base64.b64decode(asked.json["Password"]).decode()
    assert password == f"174379pass-key{asked.json['Timestamp']}"
    assert (asked.json["Amount"], asked.json["PartyA"], asked.json["AccountReference"]) == (
        100, "254708374149", "AB12CD34EF56",
    )  # fmt: skip
    assert (token.method, token.query) == ("GET", {"grant_type": "client_credentials"})
    assert base64.b64decode(token.headers["authorization"].removeprefix("Basic ")) == b"key:s3cret"


@pytest.mark.parametrize(("path", "move"), list(MOVES.values())[1:], ids=list(MOVES)[1:])
def test_commands_are_accepted_and_told_about_later(daraja, path, move):
    daraja.on(path, (200, ACCEPTED))
    made = move(mpesa(daraja))
    assert (made.state, made.provider_reference) == (State.PENDING, "AG_1")
    body = daraja.asked(path)[0].json
    assert body["SecurityCredential"] == "credential"
    assert "credential" not in repr(made)


def test_no_secret_is_in_an_error(daraja):
    daraja.on(PUSH, (400, refusal("400.002.02", "Bad Request")))
    daraja.on(B2C, (500, b"oops"))
    for move in (MOVES["charge"][1], MOVES["payout to a phone"][1]):
        with pytest.raises((InvalidRequest, OutcomeUnknown)) as raised:
            move(mpesa(daraja))
        shown = f"{raised.value!r} {raised.value.response}"
        assert not any(
            secret in shown for secret in ("pass-key", "s3cret", "credential", "token-1", "secret-path")
        )


# --- tokens


def test_a_token_is_shared_by_calls_and_by_workers(daraja):
    daraja.on(PUSH, (200, PUSHED))
    tokens = MemoryTokens()
    for _ in range(3):
        mpesa(daraja, tokens=tokens).charge(CHARGE)
    assert len(daraja.asked(TOKEN)) == 1 == tokens.fetched


@pytest.mark.parametrize(
    "rejection",
    [
        (404, refusal("404.001.03", "Invalid Access Token")), (400, refusal("400.003.01")),
        (401, refusal("401.002.01")), (401, refusal("401.001")), (401, b""),
    ],
)  # fmt: skip
def test_a_rejected_token_is_replaced_once(daraja, rejection):
    daraja.on(TOKEN, (200, {"access_token": "old", "expires_in": 3599}), (200, {"access_token": "new"}))
    daraja.on(PUSH, rejection, (200, PUSHED))
    assert mpesa(daraja).charge(CHARGE).state is State.PENDING
    assert [seen.headers["authorization"] for seen in daraja.asked(PUSH)] == ["Bearer old", "Bearer new"]


def test_a_fresh_token_that_is_rejected_is_for_an_operator(daraja):
    daraja.on(PUSH, (404, refusal("404.001.03", "Invalid Access Token")))
    with pytest.raises(AuthFailed):
        mpesa(daraja).charge(CHARGE)
    assert len(daraja.asked(PUSH)) == 2 and len(daraja.asked(TOKEN)) == 2


def test_the_second_sending_may_be_unknown(daraja):
    daraja.on(PUSH, (401, b""), DROP)
    with pytest.raises(OutcomeUnknown):
        mpesa(daraja).charge(CHARGE)
    assert len(daraja.asked(PUSH)) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, b""), AuthFailed), ((401, refusal("401.001")), AuthFailed), ((400, refusal("400.008.01")), AuthFailed),
        ((429, b""), RateLimited), ((500, refusal("500.003.02")), RateLimited), ((500, b""), Unavailable),
        ((503, b"<html>"), Unavailable), (DROP, Unavailable), (HANG, Unavailable), ((200, b"rubbish"), Unavailable), ((200, {}), Unavailable),
        ((200, {"access_token": 5}), Unavailable), ((302, {"access_token": "t"}), Unavailable),
    ],
)  # fmt: skip
def test_without_a_token_nothing_was_sent(daraja, answer, error):
    daraja.on(TOKEN, answer)
    daraja.on(PUSH, (200, PUSHED))
    with pytest.raises(error) as raised:
        mpesa(daraja, timeout_s=1.0).charge(CHARGE)
    assert type(raised.value) is error
    assert not daraja.asked(PUSH)


@pytest.mark.parametrize("expires_in", [None, "soon", -5, True, {}])
def test_an_unreadable_life_is_the_documented_one(daraja, expires_in):
    daraja.on(TOKEN, (200, {"access_token": "token-1", "expires_in": expires_in}))
    daraja.on(PUSH, (200, PUSHED))
    provider = mpesa(daraja)
    provider.charge(CHARGE)
    provider.charge(CHARGE)
    assert len(daraja.asked(TOKEN)) == 1


def test_another_app_gets_a_token_of_its_own(daraja):
    daraja.on(PUSH, (200, PUSHED))
    tokens = MemoryTokens()
    mpesa(daraja, tokens=tokens).charge(CHARGE)
    mpesa(daraja, tokens=tokens, consumer_key="another").charge(CHARGE)
    assert len(daraja.asked(TOKEN)) == 2


# --- asking


def state_of(code: object, text: str = "said so", **more: object) -> dict:
    return {
        "ResponseCode": "0", "ResponseDescription": "accepted", "MerchantRequestID": "1", "CheckoutRequestID": "ws_CO_1",
        "ResultCode": code, "ResultDesc": text, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((200, state_of("0")), State.SUCCEEDED), ((200, state_of(0)), State.SUCCEEDED),
        ((200, state_of("1032", "Request cancelled by user")), State.CANCELLED), ((200, state_of(1037)), State.FAILED),
        ((200, state_of("2001")), State.FAILED), ((200, state_of("4999", "still under processing")), State.PENDING),
        ((200, state_of("777", "The transaction is still under processing")), State.PENDING),
        ((500, refusal("500.001.1001", "The transaction is being processed")), State.PENDING),
    ],
)  # fmt: skip
def test_how_a_push_stands(daraja, answer, state):
    daraja.on(ASK, answer)
    told = mpesa(daraja).inquire(replace(HANDLE, receipt=None))
    assert (told.state, told.provider_reference, told.amount, told.receipt) == (state, "ws_CO_1", None, None)
    asked = daraja.asked(ASK)[0].json
    assert asked["CheckoutRequestID"] == "ws_CO_1" and set(asked) == {
        "BusinessShortCode", "Password", "Timestamp", "CheckoutRequestID",
    }  # fmt: skip


def test_a_failed_push_says_why(daraja):
    daraja.on(ASK, (200, state_of("1", "The balance is insufficient")))
    told = mpesa(daraja).inquire(HANDLE)
    assert (told.code, told.message, told.receipt) == ("1", "The balance is insufficient", None)


UNCLEAR = [
    *[answer for answer in UNKNOWN if answer != UNKNOWN[-1]],
    (200, state_of("777", "Something new")), (200, state_of("26", "System busy")), (200, state_of(None)),
    (200, state_of("0", ResponseCode="1")), (200, state_of("1032", CheckoutRequestID="ws_CO_another")),
    (200, state_of("15")), (400, refusal("400.002.02", "Invalid CheckoutRequestID")),
    (404, refusal("404.001.01")), (500, refusal("500.001.1001", "Merchant does not exist")),
    (500, refusal("500.001.1001", "Unable to lock subscriber")),
]  # fmt: skip


def test_a_question_that_is_not_answered_clearly_says_nothing(daraja):
    for answer in UNCLEAR:
        daraja.on(ASK, answer)
        with pytest.raises(OutcomeUnknown):
            mpesa(daraja).inquire(HANDLE)


def test_asking_too_often(daraja):
    daraja.on(ASK, (500, refusal("500.003.02", "Spike Arrest")))
    with pytest.raises(RateLimited):
        mpesa(daraja).inquire(HANDLE)


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ask", "conversation", "party", "notice"),
    [
        (lambda p: p.inquire_refund(RefundHandle(REFERENCE, KES_100, HANDLE, NOW, "AG_9", 0, URL)), "AG_9", "174379",
         "refund"),
        (lambda p: p.inquire_payout(PayoutHandle(REFERENCE, KES_100, PayoutMethod.MPESA, NOW, "AG_9", URL)), REFERENCE,
         "600984", "payout"),
        (lambda p: p.inquire_payout(PayoutHandle(REFERENCE, KES_100, PayoutMethod.MPESA, NOW, None, URL)), REFERENCE,
         "600984", "payout"),
        (lambda p: p.inquire_payout(PayoutHandle(REFERENCE, KES_100, PayoutMethod.TILL, NOW, "AG_9", URL)), "AG_9",
         "600992", "payout"),
    ],
)  # fmt: skip
def test_asking_about_commands_starts_a_status_query(daraja, ask, conversation, party, notice):
    daraja.on(STATUS, (200, ACCEPTED))
    told = ask(mpesa(daraja))
    assert told.state is State.PENDING
    assert told.provider_reference != "AG_1", "the question's own id is not the operation's"
    body = daraja.asked(STATUS)[0].json
    assert (body["CommandID"], body["OriginalConversationID"], body["PartyA"]) == (
        "TransactionStatusQuery", conversation, party,
    )  # fmt: skip
    assert (body["ResultURL"], body["QueueTimeOutURL"]) == (
        f"{URL}?notice={notice}-status", f"{URL}?notice={notice}-timeout",
    )  # fmt: skip
    for answer in ((400, refusal("400.002.02")), (200, {"ResponseCode": "1"}), (500, b""), DROP):
        daraja.on(STATUS, answer)
        with pytest.raises(OutcomeUnknown):
            ask(mpesa(daraja))


# --- the statement


def row(number: int, at: str, amount: object = "168.00") -> dict:
    return {
        "transactionId": f"TX{number}", "trxDate": at, "msisdn": 254708374149, "sender": "MPESA",
        "transactiontype": "c2b-pay-bill-debit", "billreference": f"LABEL{number}", "amount": amount,
    }  # fmt: skip


def kenyan(moment: datetime) -> str:
    return (moment.astimezone(UTC) + timedelta(hours=3)).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_statement_is_read_page_by_page(daraja, method):
    end = clock.now().replace(microsecond=0)
    first, second = end - timedelta(hours=2), end - timedelta(hours=1)
    zoned = second.isoformat().replace("+00:00", "Z")
    daraja.on(
        PULL,
        (200, {"ResponseCode": "1000", "Response": [[row(1, kenyan(first)), row(2, zoned, 50)]]}),
        (
            200,
            {
                "ResponseCode": "1000",
                "Response": [row(2, zoned, 50), row(3, kenyan(end - timedelta(days=3)))],
            },
        ),
        (200, {"ResponseCode": "1001", "Response": []}),
    )
    lines = mpesa(daraja, pull="true", pull_method=method).statement(end - timedelta(days=9), end)
    assert [(line.label, line.receipt, line.amount, line.at) for line in lines] == [
        ("LABEL1", "TX1", Money(16_800, "KES"), first), ("LABEL2", "TX2", Money(5000, "KES"), second),
    ]  # fmt: skip
    asked = daraja.asked(PULL)
    assert [seen.method for seen in asked] == [method] * 3
    assert [seen.json["OffSetValue"] for seen in asked] == ["0", "2", "3"]
    assert asked[0].json["EndDate"] == kenyan(end)
    begun = datetime.strptime(asked[0].json["StartDate"] + "+0300", "%Y-%m-%d %H:%M:%S%z")
    assert abs(end - begun - timedelta(hours=48)) < timedelta(minutes=1), "the API knows 48 hours"


def test_a_server_that_ignores_the_offset_is_read_once(daraja):
    end = clock.now()
    daraja.on(PULL, (200, {"ResponseCode": "1000", "Response": [row(1, kenyan(end - timedelta(hours=1)))]}))
    assert len(mpesa(daraja, pull="true").statement(end - timedelta(hours=3), end)) == 1
    assert len(daraja.asked(PULL)) == 2


@pytest.mark.parametrize(
    "answer",
    [
        DROP, (500, b""), (200, b"rubbish"), (200, {}), (200, {"ResponseCode": "9", "Response": []}),
        (400, refusal("400.002.02")),
        (200, {"ResponseCode": "1000", "Response": [row(1, "yesterday")]}),
        (200, {"ResponseCode": "1000", "Response": [row(1, "2026-01-01 10:00:00", "a lot")]}),
        (200, {"ResponseCode": "1000", "Response": [row(1, "2026-01-01 10:00:00", None)]}),
        (200, {"ResponseCode": "1000", "Response": [row(1, "2026-01-01 10:00:00") | {"transactionId": None}]}),
    ],
)  # fmt: skip
def test_a_statement_is_whole_or_none(daraja, answer):
    daraja.on(PULL, answer)
    with pytest.raises(OutcomeUnknown):
        mpesa(daraja, pull="true").statement(clock.now() - timedelta(hours=1), clock.now())

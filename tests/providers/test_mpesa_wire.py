"""M-Pesa over HTTP: every kind of answer, and above all those after which money may have moved."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.providers.base import PayoutMethod, PayoutReference, RefundReference, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
)
from tests.support.mpesa import (
    ACCEPTED,
    ASK,
    B2B,
    B2C,
    CHARGE,
    CHARGE_REFERENCE,
    KES_100,
    PUSH,
    PUSHED,
    REFERENCE,
    REFUND,
    REVERSAL,
    STATUS,
    TO_PHONE,
    TO_TILL,
    TOKEN,
    URL,
    refusal,
    scripted,
)
from tests.support.providers import DROP, HANG, Observed, Scripted


@pytest.fixture
def daraja():
    with Scripted() as server:
        yield server.on(TOKEN, (200, {"access_token": "token-1", "expires_in": "3599"}))


MOVES = {
    "charge": (PUSH, lambda provider: provider.charge(CHARGE)),
    "refund": (REVERSAL, lambda provider: provider.refund(REFUND)),
    "payout to a phone": (B2C, lambda provider: provider.pay_out(TO_PHONE)),
    "payout to a till": (B2B, lambda provider: provider.pay_out(TO_TILL)),
}
moves = pytest.mark.parametrize(("path", "move"), MOVES.values(), ids=MOVES.keys())

BOTH = PUSHED | ACCEPTED
NO_ID = BOTH | {"CheckoutRequestID": 7, "ConversationID": "", "OriginatorConversationID": None}
NO_CODE = {name: value for name, value in BOTH.items() if name != "ResponseCode"}
SPIKE = {
    "fault": {
        "faultstring": "Spike arrest violation. Allowed rate : 5pm",
        "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"},
    },
}
STILL_OPEN = (500, refusal("500.001.1001", "The transaction is being processed"))

UNKNOWN = [
    DROP,
    (500, b""),
    (500, refusal("500.003.1001")),
    (500, refusal("500.999.99")),
    (502, b"<html>Bad Gateway</html>"),
    (503, refusal("")),
    (503, refusal("500.003.02", "System is busy")),
    (504, {}),
    (200, b"not JSON"),
    (200, b""),
    (200, []),
    (200, {}),
    (200, {"ResponseCode": None}),
    (200, {"ResponseCode": "0"}),
    (200, {"ResponseCode": {"a": 1}}),
    (200, {"ResponseCode": "7777", "ResponseDescription": "In no document"}),
    (200, NO_ID),
    (200, NO_CODE),
    (200, {"errorCode": "400.002.02"}),
    (301, {}),
    (403, b"<html>blocked</html>"),
    (400, b""),
    (404, b"<html>"),
    STILL_OPEN,
    (500, refusal("500.002.1001", "Service is currently under maintenance")),
    (500, {"fault": "oops"}),
    (
        504,
        {
            "fault": {
                "faultstring": "Gateway Timeout",
                "detail": {"errorcode": "messaging.adaptors.http.flow.GatewayTimeout"},
            }
        },
    ),
    (500, {"fault": {"faultstring": 5, "detail": [1]}}),
]


@moves
def test_what_is_not_clear_may_have_moved_money_and_is_never_sent_again(daraja, path, move):
    for answer in UNKNOWN:
        daraja.on(path, answer)
        before = len(daraja.asked(path))
        with pytest.raises(OutcomeUnknown) as raised:
            move(scripted(daraja))
        assert not isinstance(raised.value, DuplicateReference), answer
        assert len(daraja.asked(path)) == before + 1, answer


@moves
def test_no_answer_in_time(daraja, path, move):
    daraja.on(path, HANG)
    observed = Observed()
    provider = scripted(daraja, observe=observed, timeout_s=1.0)
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
        ((400, refusal("400.002.02", "Bad Request - Invalid Amount")), RequestRejected),
        ((400, refusal("400.777.77")), RequestRejected),
        ((500, refusal("500.001.1001", "Unable to lock subscriber, a transaction is in process")), Declined),
        ((500, refusal("500.001.1001", "Merchant does not exist")), RequestRejected),
        ((500, refusal("500.001.1001", "Wrong credentials")), AuthFailed),
        ((500, refusal("500.002.1001", "Duplicate OriginatorConversationID")), DuplicateReference),
        ((500, SPIKE), RateLimited),
        ((429, SPIKE), RateLimited),
        ((500, refusal("500.003.02", "Spike Arrest")), RateLimited),
        ((500, refusal("500.003.03", "Quota")), RateLimited),
    ],
)
def test_definite_answers(daraja, path, move, answer, error):
    daraja.on(path, answer)
    with pytest.raises(error) as raised:
        move(scripted(daraja))
    assert type(raised.value) is error
    json.dumps(raised.value.response)


@moves
@pytest.mark.parametrize("code", ["00000000", "000", 0, "7777"])
def test_success_in_any_spelling_and_an_unknown_code_beside_an_id_are_accepted(daraja, path, move, code):
    """A request that has an id exists at Daraja: its id is kept, and it is asked about."""
    daraja.on(path, (200, BOTH | {"ResponseCode": code}))
    answered = move(scripted(daraja))
    assert answered.state is State.PENDING and answered.provider_reference


def test_a_locked_subscriber_may_be_asked_again_in_a_minute(daraja):
    daraja.on(PUSH, (500, refusal("500.001.1001", "Unable to lock subscriber")))
    with pytest.raises(Declined) as raised:
        scripted(daraja).charge(CHARGE)
    assert (raised.value.retry_after_s, raised.value.message) == (60, "Unable to lock subscriber")


def test_a_push(daraja):
    daraja.on(PUSH, (200, PUSHED))
    made = scripted(daraja).charge(CHARGE)
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
        100,
        "254708374149",
        "AB12CD34EF56",
    )
    assert (token.method, token.query) == ("GET", {"grant_type": "client_credentials"})
    assert base64.b64decode(token.headers["authorization"].removeprefix("Basic ")) == b"key:s3cret"


@pytest.mark.parametrize(("path", "move"), list(MOVES.values())[1:], ids=list(MOVES)[1:])
def test_commands_are_accepted_and_reported_later(daraja, path, move):
    daraja.on(path, (200, ACCEPTED))
    made = move(scripted(daraja))
    # B2C took our reference as its originator; the others are asked about by Daraja's.
    known_by = "AG_1" if path == B2C else "5118-111210482-1"
    assert (made.state, made.provider_reference) == (State.PENDING, known_by)
    body = daraja.asked(path)[0].json
    assert body["SecurityCredential"] == "credential"
    assert "credential" not in repr(made)


def test_no_secret_is_in_an_error(daraja):
    daraja.on(PUSH, (400, refusal("400.002.02", "Bad Request")))
    daraja.on(B2C, (500, b"oops"))
    for move in (MOVES["charge"][1], MOVES["payout to a phone"][1]):
        with pytest.raises((RequestRejected, OutcomeUnknown)) as raised:
            move(scripted(daraja))
        shown = f"{raised.value!r} {raised.value.response}"
        assert not any(
            secret in shown for secret in ("pass-key", "s3cret", "credential", "token-1", "secret-path")
        )


def state_of(code: object, text: str = "Some message", **more: object) -> dict:
    return {
        "ResponseCode": "0",
        "ResponseDescription": "accepted",
        "MerchantRequestID": "1",
        "CheckoutRequestID": "ws_CO_1",
        "ResultCode": code,
        "ResultDesc": text,
        **more,
    }


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((200, state_of("0")), State.SUCCEEDED),
        ((200, state_of(0)), State.SUCCEEDED),
        ((200, state_of("1032", "Request cancelled by user")), State.CANCELLED),
        ((200, state_of(1037)), State.FAILED),
        ((200, state_of("2001")), State.FAILED),
        ((200, state_of("4999", "still under processing")), State.PENDING),
        ((200, state_of("777", "The transaction is still under processing")), State.PENDING),
        ((500, refusal("500.001.1001", "The transaction is being processed")), State.PENDING),
    ],
)
def test_how_a_push_stands(daraja, answer, state):
    daraja.on(ASK, answer)
    result = scripted(daraja).inquire(replace(CHARGE_REFERENCE, receipt=None))
    assert (result.state, result.provider_reference, result.amount, result.receipt) == (
        state,
        "ws_CO_1",
        None,
        None,
    )
    asked = daraja.asked(ASK)[0].json
    assert asked["CheckoutRequestID"] == "ws_CO_1" and set(asked) == {
        "BusinessShortCode",
        "Password",
        "Timestamp",
        "CheckoutRequestID",
    }


def test_a_failed_push_says_why(daraja):
    daraja.on(ASK, (200, state_of("1", "The balance is insufficient")))
    result = scripted(daraja).inquire(CHARGE_REFERENCE)
    assert (result.code, result.message, result.receipt) == ("1", "The balance is insufficient", None)


UNCLEAR = [
    *[answer for answer in UNKNOWN if answer is not STILL_OPEN],
    (200, state_of("777", "Something new")),
    (200, state_of("26", "System busy")),
    (200, state_of(None)),
    (200, state_of("0", ResponseCode="1")),
    (200, state_of("1032", CheckoutRequestID="ws_CO_another")),
    (200, state_of("15")),
    (400, refusal("400.002.02", "Invalid CheckoutRequestID")),
    (404, refusal("404.001.01")),
    (500, refusal("500.001.1001", "Merchant does not exist")),
    (500, refusal("500.001.1001", "Unable to lock subscriber")),
]


def test_unclear_answer_to_an_inquiry_is_unknown(daraja):
    for answer in UNCLEAR:
        daraja.on(ASK, answer)
        with pytest.raises(OutcomeUnknown):
            scripted(daraja).inquire(CHARGE_REFERENCE)


def test_asking_too_often(daraja):
    daraja.on(ASK, (500, refusal("500.003.02", "Spike Arrest")))
    with pytest.raises(RateLimited):
        scripted(daraja).inquire(CHARGE_REFERENCE)


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ask", "originator", "party", "notice"),
    [
        (
            lambda p: p.inquire_refund(
                RefundReference(REFERENCE, KES_100, CHARGE_REFERENCE, NOW, "AG_9", 0, URL)
            ),
            "AG_9",
            "174379",
            "refund",
        ),
        (
            lambda p: p.inquire_payout(
                PayoutReference(REFERENCE, KES_100, PayoutMethod.MPESA, NOW, "AG_9", URL)
            ),
            REFERENCE,
            "600984",
            "payout",
        ),
        (
            lambda p: p.inquire_payout(
                PayoutReference(REFERENCE, KES_100, PayoutMethod.MPESA, NOW, None, URL)
            ),
            REFERENCE,
            "600984",
            "payout",
        ),
        (
            lambda p: p.inquire_payout(
                PayoutReference(REFERENCE, KES_100, PayoutMethod.TILL, NOW, "AG_9", URL)
            ),
            "AG_9",
            "600992",
            "till",
        ),
    ],
)
def test_asking_about_commands_starts_a_status_query(daraja, ask, originator, party, notice):
    daraja.on(STATUS, (200, ACCEPTED))
    result = ask(scripted(daraja))
    assert result.state is State.PENDING
    assert result.provider_reference != "AG_1", "the question's own id is not the operation's"
    body = daraja.asked(STATUS)[0].json
    assert (body["CommandID"], body["OriginalConversationID"], body["PartyA"]) == (
        "TransactionStatusQuery",
        originator,
        party,
    )
    assert (body["ResultURL"], body["QueueTimeOutURL"]) == (
        f"{URL}?notice={notice}-status",
        f"{URL}?notice={notice}-timeout",
    )
    for answer in ((400, refusal("400.002.02")), (200, {"ResponseCode": "1"}), (500, b""), DROP):
        daraja.on(STATUS, answer)
        with pytest.raises(OutcomeUnknown):
            ask(scripted(daraja))

"""Daraja's codes and words, pinned."""

from __future__ import annotations

import pytest

from app.providers.base import State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
)
from app.providers.mpesa import statuses


def test_the_table_of_result_codes():
    failed = {
        "1",
        "2",
        "3",
        "4",
        "8",
        "11",
        "17",
        "18",
        "20",
        "21",
        "24",
        "25",
        "26",
        "29",
        "1001",
        "1019",
        "1025",
        "1036",
        "1037",
        "2001",
        "2006",
        "2028",
        "2040",
        "4001",
        "8006",
        "9999",
        "E3008",
        "SFC_IC0003",
        "R000002",
    }
    by_state = {code: known.state for code, known in statuses.RESULT_CODES.items()}
    assert {code for code, state in by_state.items() if state is State.FAILED} == failed
    assert {code for code, state in by_state.items() if state is None} == {"15", "R000001"}
    rest = {code: state for code, state in by_state.items() if state and code not in failed}
    assert rest == {"0": State.SUCCEEDED, "1032": State.CANCELLED, "4999": State.PENDING}


def test_the_table_of_errors_is_the_portals():
    """Every errorCode of the portal and of clients' reports is in a table; none is there by accident."""
    assert {known.code for known in statuses.API_ERRORS} == {
        "400.002.02",
        "400.002.05",
        "400.003.02",
        "404.001.01",
        "404.002.01",
        "404.003.01",
        "404.001.04",
        "405.001",
        "500.001.1001",
        "500.002.1001",
        "500.003.02",
        "500.003.03",
        "500.003.1001",
    }
    assert {"400.003.01", "401.001", "401.002.01", "401.003.01", "404.001.03"} == statuses.TOKEN_REJECTED
    assert dict(statuses.LIMITS) == {
        "policies.ratelimit.SpikeArrestViolation": 5,
        "policies.ratelimit.QuotaViolation": 60,
    }


def test_the_words_of_an_open_push_count_under_their_codes_only():
    words = "The transaction is being processed"
    assert statuses.is_still_open("500.001.1001", words) and statuses.is_still_open("500.002.1001", words)
    assert not statuses.is_still_open("500.001.1001", "Merchant does not exist")
    assert not statuses.is_still_open("500.003.1001", "Internal error while processing the request")
    assert not statuses.is_still_open("", words)


def test_unknown_result_code_is_unknown_in_inquiries():
    assert statuses.state_when_asked("7777", "Something new") is None
    assert statuses.state_when_asked("7777", "The transaction is still under processing") is State.PENDING


def test_codes_that_do_not_tell_whether_money_moved_never_fail():
    assert statuses.state_when_reported("15", unknown=State.FAILED) is State.PENDING
    assert statuses.state_when_reported("R000001", unknown=State.FAILED) is State.PENDING
    assert statuses.state_when_asked("26", "System busy") is None


def test_the_words_of_a_status_result():
    words = {word: state.value for word, state in statuses.TRANSACTION_STATUSES.items()}
    assert words == {
        "completed": "succeeded",
        "reversed": "reversed",
        "failed": "failed",
        "declined": "failed",
        "cancelled": "failed",
        "expired": "failed",
        "pending": "pending",
        "authorized": "pending",
        "initiated": "pending",
        "pending authorized": "pending",
    }


@pytest.mark.parametrize(
    ("http_status", "code", "message", "error"),
    [
        (400, "400.002.02", "Bad Request - Invalid BusinessShortCode", RequestRejected),
        (400, "400.002.05", "Invalid Request Payload", RequestRejected),
        (404, "404.001.01", "Resource not found", RequestRejected),
        (405, "405.001", "Method Not Allowed", RequestRejected),
        (500, "500.001.1001", "Unable to lock subscriber, a transaction is in process", Declined),
        (500, "500.001.1001", "Merchant does not exist", RequestRejected),
        (500, "500.001.1001", "[MerchantValidate] - Wrong credentials", AuthFailed),
        (500, "500.001.1001", "The transaction is being processed", OutcomeUnknown),
        (500, "500.001.1001", "", OutcomeUnknown),
        (500, "500.002.1001", "Duplicate OriginatorConversationID", DuplicateReference),
        (
            500,
            "500.002.1001",
            "Service is currently under maintenance. Please try again later",
            OutcomeUnknown,
        ),
        (500, "500.002.1001", "", OutcomeUnknown),
        (500, "500.003.02", "System is busy. Please try again in few minutes.", RateLimited),
        (500, "500.003.02", "Error Occurred: Spike Arrest Violation", RateLimited),
        (500, "500.003.03", "Quota Violation", RateLimited),
        (500, "500.003.1001", "Internal Server Error", OutcomeUnknown),
        (400, "400.999.99", "An unknown code", RequestRejected),
        (500, "500.999.99", "An unknown code", OutcomeUnknown),
        (400, "", "", OutcomeUnknown),
        (403, "", "", OutcomeUnknown),
        (429, "", "", RateLimited),
        (
            500,
            "policies.ratelimit.SpikeArrestViolation",
            "Spike arrest violation. Allowed rate : 5pm",
            RateLimited,
        ),
        (429, "policies.ratelimit.QuotaViolation", "Rate limit quota violation.", RateLimited),
        (504, "messaging.adaptors.http.flow.GatewayTimeout", "Gateway Timeout", OutcomeUnknown),
        (500, "policies.somethingelse", "", OutcomeUnknown),
        (503, "500.003.02", "System is busy. Please try again in few minutes.", OutcomeUnknown),
        (502, "400.002.02", "Bad Request", OutcomeUnknown),
        (503, "", "", OutcomeUnknown),
        (302, "", "", OutcomeUnknown),
    ],
)
def test_the_table_of_errors(http_status, code, message, error):
    assert statuses.api_error(http_status, code, message).error is error

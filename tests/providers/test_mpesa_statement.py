"""M-Pesa's pull API: the whole statement, or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app import clock
from app.money import Money
from app.providers.errors import (
    NotSupported,
    OutcomeUnknown,
)
from tests.support.mpesa import (
    PULL,
    TOKEN,
    mpesa,
    refusal,
    scripted,
)
from tests.support.providers import DROP, Scripted


@pytest.fixture
def daraja():
    with Scripted() as server:
        yield server.on(TOKEN, (200, {"access_token": "token-1", "expires_in": "3599"}))


def row(number: int, at: str, amount: object = "168.00") -> dict:
    return {
        "transactionId": f"TX{number}",
        "trxDate": at,
        "msisdn": 254708374149,
        "sender": "MPESA",
        "transactiontype": "c2b-pay-bill-debit",
        "billreference": f"LABEL{number}",
        "amount": amount,
    }


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
    lines = scripted(daraja, pull="true", pull_method=method).statement(end - timedelta(days=9), end)
    assert [(line.short_reference, line.receipt, line.amount, line.at) for line in lines] == [
        ("LABEL1", "TX1", Money(16_800, "KES"), first),
        ("LABEL2", "TX2", Money(5000, "KES"), second),
    ]
    asked = daraja.asked(PULL)
    assert [seen.method for seen in asked] == [method] * 3
    assert [seen.json["OffSetValue"] for seen in asked] == ["0", "2", "3"]
    assert asked[0].json["EndDate"] == kenyan(end)
    begun = datetime.strptime(asked[0].json["StartDate"] + "+0300", "%Y-%m-%d %H:%M:%S%z")
    assert abs(end - begun - timedelta(hours=48)) < timedelta(minutes=1), "the API knows 48 hours"


@pytest.mark.parametrize(
    "written",
    [
        kenyan,  # Kenyan time without a zone, as we write it
        lambda at: (
            kenyan(at).replace(" ", "T") + "Z"
        ),  # Kenyan time that calls itself UTC, as the portal's sample may be
        lambda at: at.strftime("%Y-%m-%d %H:%M:%S"),  # UTC that does not say so
        lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    ],
)
def test_a_payment_is_found_in_whatever_zone_its_time_is_written(daraja, written):
    end = clock.now().replace(microsecond=0)
    start = end - timedelta(minutes=20)
    daraja.on(
        PULL,
        (200, {"ResponseCode": "1000", "Response": [[row(1, written(end - timedelta(minutes=10)))]]}),
        (200, {"ResponseCode": "1001", "Transaction": "[[]]"}),
    )
    (line,) = scripted(daraja, pull="true").statement(start, end)
    assert line.short_reference == "LABEL1"
    assert daraja.asked(PULL)[0].json["StartDate"] == kenyan(start - timedelta(hours=3)), (
        "if it is read as UTC"
    )


@pytest.mark.parametrize(
    "nothing",
    [
        {"Transaction": "[[]]"},
        {"Response": "[[]]"},
        {"Response": None},
        {"Response": []},
        {"Response": [[]]},
        {},
    ],
)
def test_nothing_was_collected(daraja, nothing):
    daraja.on(PULL, (200, {"ResponseCode": "1001", **nothing}))
    assert scripted(daraja, pull="true").statement(clock.now() - timedelta(hours=1), clock.now()) == []


def test_a_till_has_no_statement():
    """Its rows name no payment: none found would not mean none paid."""
    of_till = mpesa(pull="true", till="5555555")
    assert not of_till.capabilities.has_statement
    with pytest.raises(NotSupported):
        of_till.statement(clock.now() - timedelta(hours=1), clock.now())


def test_a_server_that_ignores_the_offset_is_read_once(daraja):
    end = clock.now()
    daraja.on(PULL, (200, {"ResponseCode": "1000", "Response": [row(1, kenyan(end - timedelta(hours=1)))]}))
    assert len(scripted(daraja, pull="true").statement(end - timedelta(hours=3), end)) == 1
    assert len(daraja.asked(PULL)) == 2


@pytest.mark.parametrize(
    "answer",
    [
        DROP,
        (500, b""),
        (200, b"rubbish"),
        (200, {}),
        (200, {"ResponseCode": "9", "Response": []}),
        (400, refusal("400.002.02")),
        (200, {"ResponseCode": "1000"}),
        (200, {"ResponseCode": "1000", "Response": "[[]]"}),
        (200, {"ResponseCode": "1000", "Transaction": [[row(1, "2026-01-01 10:00:00")]]}),
        (500, {"errorCode": "500", "errorMessage": "Failed to retrieve transactions."}),
        (200, {"ResponseCode": "1000", "Response": [row(1, "yesterday")]}),
        (200, {"ResponseCode": "1000", "Response": [row(1, "2026-01-01 10:00:00", "a lot")]}),
        (200, {"ResponseCode": "1000", "Response": [row(1, "2026-01-01 10:00:00", None)]}),
        (
            200,
            {"ResponseCode": "1000", "Response": [row(1, "2026-01-01 10:00:00") | {"transactionId": None}]},
        ),
    ],
)
def test_a_statement_is_whole_or_none(daraja, answer):
    daraja.on(PULL, answer)
    with pytest.raises(OutcomeUnknown):
        scripted(daraja, pull="true").statement(clock.now() - timedelta(hours=1), clock.now())

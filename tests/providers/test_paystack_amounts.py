"""The Paystack adapter: subunits, numbers and tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import MAX_MINOR, Money
from app.providers.errors import (
    OutcomeUnknown,
)
from app.providers.facts import facts
from app.providers.paystack.amounts import (
    SUBUNITS,
    collected,
    from_subunits,
    mpesa_number,
    to_subunits,
)
from app.providers.paystack.statuses import CHARGES, EVENTS, REFUNDS, TRANSFERS
from app.providers.replies import state_of, word


@given(st.sampled_from(sorted(SUBUNITS)), st.integers(1, MAX_MINOR // 100))
def test_subunits_go_there_and_back(currency: str, minor: int) -> None:
    amount = Money(minor, currency)
    assert from_subunits(to_subunits(amount), currency) == amount
    assert from_subunits(str(to_subunits(amount)), currency) == amount


@pytest.mark.parametrize(
    ("amount", "wire"),
    [
        (Money(30050, "NGN"), 30050),
        (Money(500, "XOF"), 50000),
        (Money(1, "KES"), 1),
        (Money(199, "USD"), 199),
    ],
)
def test_what_goes_over_the_wire(amount: Money, wire: int) -> None:
    assert to_subunits(amount) == wire


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        (50050, "XOF"),
        (1.5, "NGN"),
        ("1.5", "NGN"),
        ("1e3", "NGN"),
        (True, "NGN"),
        (0, "NGN"),
        (-1, "NGN"),
        (None, "NGN"),
        (100, "ngn"),
        (100, "UGX"),
        (100, None),
        ("", "NGN"),
        ("١٠٠", "NGN"),
        (10**30, "NGN"),
    ],
)
def test_amounts_that_cannot_be_read(value: object, currency: object) -> None:
    assert from_subunits(value, currency) is None


@pytest.mark.parametrize(
    ("amount", "requested", "expected"),
    [
        (40333, 30050, 30050),
        (30050, None, 30050),
        (30050, 30050, 30050),
        (20000, 30050, 20000),
        (None, 30050, None),
        (30050, "many", None),
        (None, None, None),
    ],
)
def test_fees_the_customer_bore_are_not_the_order(
    amount: object, requested: object, expected: int | None
) -> None:
    read = collected({"amount": amount, "requested_amount": requested, "currency": "NGN"})
    assert (read.amount_minor if read else None) == expected


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("254712345678", "0712345678"),
        ("+254112345678", "0112345678"),
        ("0712345678", "0712345678"),
        ("255712345678", None),
        ("25471234567", None),
        ("", None),
    ],
)
def test_kenyan_numbers(phone: str, expected: str | None) -> None:
    assert mpesa_number(phone) == expected


def test_tables_are_pinned() -> None:
    assert {name: state.value for name, state in CHARGES.items()} == {
        "success": "succeeded",
        "failed": "pending",
        "reversed": "reversed",
        "abandoned": "pending",
        "ongoing": "pending",
        "pending": "pending",
        "processing": "in_transit",
        "queued": "in_transit",
    }
    assert {name: state.value for name, state in REFUNDS.items()} == {
        "pending": "pending",
        "processing": "pending",
        "processed": "succeeded",
        "failed": "failed",
        "needs-attention": "pending",
    }
    assert {name: state.value for name, state in TRANSFERS.items()} == {
        "success": "succeeded",
        "pending": "pending",
        "received": "pending",
        "queued": "pending",
        "processing": "pending",
        "otp": "pending",
        "failed": "failed",
        "reversed": "reversed",
    }
    assert {"refund.needs-attention", "refund.processed", "transfer.reversed", "charge.success"} < set(EVENTS)


@pytest.mark.parametrize("status", ["paid", "blocked", "rejected", "abandoned", "", None, True])
def test_an_unknown_status_is_an_unknown_outcome(status: object) -> None:
    with pytest.raises(OutcomeUnknown):
        state_of(TRANSFERS, status, provider="Paystack")


def test_facts_are_fit_for_storage() -> None:
    kept = facts(
        {"a": "x\0y\ud800", "b": 10**30, "c": {"deep": 1}, "id": 4099260516}, "a", "b", "c", "id", "none"
    )
    assert kept == {"a": "xy?", "b": str(10**30), "id": 4099260516}
    assert word({"id": 4099260516}, "id") == "4099260516"

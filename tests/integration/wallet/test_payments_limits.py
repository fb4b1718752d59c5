"""Limits: per user over all wallets, by UTC day and month, and the order in which refusals are found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.factories import SignedInUser, make_user, make_wallet
from tests.support.wallet_payments import outcome, pay, travel_to, with_new_token

PAID = (201, "pending")
KYC = (403, "KYC_REQUIRED")
LIMIT = (400, "DAILY_LIMIT_EXCEEDED")
SHORT = (400, "INSUFFICIENT_BALANCE")
NO_AMOUNT = (400, "INVALID_AMOUNT")


@pytest.fixture
def recipient(app: Flask) -> str:
    user = make_user(app)
    for currency in ("USD", "KES", "JPY"):
        make_wallet(app, user, currency=currency)
    return user.email


def _sender(
    app: Flask, tier: int, balance: str = "200000", currency: str = "USD"
) -> tuple[SignedInUser, str]:
    user = make_user(app, tier=tier)
    return user, make_wallet(app, user, balance=balance, currency=currency)


@pytest.mark.parametrize(
    ("tier", "amount", "expected"),
    [
        (0, "100", PAID),
        (0, "100.01", KYC),
        (1, "1000", PAID),
        (1, "1000.01", KYC),
        (2, "10000", PAID),
        (2, "10000.01", NO_AMOUNT),
        (3, "10000", PAID),
        (3, "10000.01", NO_AMOUNT),
    ],
)
def test_one_payment_against_the_tier(
    app: Flask, client: FlaskClient, recipient: str, tier: int, amount: str, expected: tuple[int, str]
) -> None:
    sender, wallet = _sender(app, tier)
    assert outcome(pay(client, sender, wallet, recipient, amount)) == expected


def test_the_days_sum(app: Flask, client: FlaskClient, recipient: str) -> None:
    """Breaks when each payment is compared by itself."""
    sender, wallet = _sender(app, 0)
    answers = [outcome(pay(client, sender, wallet, recipient, amount)) for amount in (60, 40.01, 40, 0.01)]
    assert answers == [PAID, LIMIT, PAID, LIMIT]


def test_the_sum_is_over_all_wallets_and_currencies(app: Flask, client: FlaskClient, recipient: str) -> None:
    """Breaks when spending is kept per wallet. 12,000 KES are 92.40 USD, 1,151 JPY are 7.60 by the rate table."""
    sender, dollars = _sender(app, 0)
    shillings = make_wallet(app, sender, balance="100000", currency="KES")
    yen = make_wallet(app, sender, balance="100000", currency="JPY")
    assert outcome(pay(client, sender, shillings, recipient, 12000)) == PAID
    assert outcome(pay(client, sender, dollars, recipient, "7.61")) == LIMIT
    assert outcome(pay(client, sender, yen, recipient, 1151)) == PAID
    assert outcome(pay(client, sender, dollars, recipient, "0.01")) == LIMIT


def test_the_single_maximum_is_in_dollars(app: Flask, client: FlaskClient, recipient: str) -> None:
    sender, shillings = _sender(app, 3, balance="5000000", currency="KES")
    assert outcome(pay(client, sender, shillings, recipient, "1298702")) == NO_AMOUNT
    assert outcome(pay(client, sender, shillings, recipient, "1298701")) == PAID


def test_a_new_utc_day_begins_at_midnight(app: Flask, client: FlaskClient, recipient: str) -> None:
    """Breaks with local time, or with a window of 24 hours."""
    travel_to(datetime(2031, 5, 14, 23, 59, 30, tzinfo=UTC))
    sender, wallet = _sender(app, 0)
    assert outcome(pay(client, sender, wallet, recipient, 100)) == PAID
    assert outcome(pay(client, sender, wallet, recipient, 1)) == LIMIT
    travel_to(datetime(2031, 5, 15, 0, 0, 1, tzinfo=UTC))
    assert outcome(pay(client, sender, wallet, recipient, 100)) == PAID
    assert outcome(pay(client, sender, wallet, recipient, 1)) == LIMIT


def test_the_months_sum(app: Flask, client: FlaskClient, recipient: str) -> None:
    """Five days of 100 fill tier 0's month; the next month is empty again. Breaks when only the day is checked."""
    travel_to(datetime(2031, 5, 20, 12, tzinfo=UTC))
    sender, wallet = _sender(app, 0)
    for _ in range(5):
        sender = with_new_token(app, sender)
        assert outcome(pay(client, sender, wallet, recipient, 100)) == PAID
        travel_to(_next_day())
    sender = with_new_token(app, sender)
    assert outcome(pay(client, sender, wallet, recipient, "0.01")) == LIMIT
    travel_to(datetime(2031, 5, 31, 23, 59, tzinfo=UTC))
    assert outcome(pay(client, with_new_token(app, sender), wallet, recipient, 1)) == LIMIT
    travel_to(datetime(2031, 6, 1, 0, 0, 1, tzinfo=UTC))
    assert outcome(pay(client, with_new_token(app, sender), wallet, recipient, 100)) == PAID


def _next_day() -> datetime:
    from app import clock

    return clock.now() + timedelta(days=1)


def test_a_refused_payment_uses_no_limit_up(app: Flask, client: FlaskClient, recipient: str) -> None:
    sender, wallet = _sender(app, 0, balance="50")
    assert outcome(pay(client, sender, wallet, recipient, 90)) == SHORT
    assert outcome(pay(client, sender, wallet, "nobody@example.com", 40))[0] == 404
    assert outcome(pay(client, sender, wallet, recipient, 50)) == PAID


@pytest.mark.parametrize(
    ("amount", "balance", "spent", "expected"),
    [
        ("10000.01", "50", 0, NO_AMOUNT),  # the single maximum comes before the balance
        ("500", "50", 0, SHORT),  # the balance before the tier
        ("500", "600", 90, KYC),  # the amount alone before the day's sum
        ("50", "600", 90, LIMIT),
    ],
)
def test_refusals_are_found_in_the_contracts_order(
    app: Flask,
    client: FlaskClient,
    recipient: str,
    amount: str,
    balance: str,
    spent: int,
    expected: tuple[int, str],
) -> None:
    sender, wallet = _sender(app, 0, balance=balance)
    if spent:
        assert outcome(pay(client, sender, wallet, recipient, spent)) == PAID
    assert outcome(pay(client, sender, wallet, recipient, amount)) == expected

"""The tenant's wallet: its balances, its lines with the fees apart, its statements."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock, ids, ledger
from app.clock import iso_z
from app.ledger import marks
from app.ledger.chart import account_id, platform_account, tenant_direct, tenant_suspense, tenant_wallet
from app.models.account import AccountKind
from app.models.member import Role
from app.services.tenant_wallets import lines, statements
from app.unit_of_work import reading, transaction
from tests.support.orders import Shop, make_shop
from tests.support.tenants import fund_merchant, make_member, tenant_headers

WALLET = "/api/v1/wallet"
DAYS = 6


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop(app)


def _get(shop: Shop, path: str, *, accept: str = "application/json") -> Any:
    return shop.app.test_client().get(
        f"{WALLET}{path}", headers=tenant_headers(shop.owner.merchant) | {"Accept": accept}
    )


def _fund(shop: Shop, *amounts: int, currency: str = "KES") -> None:
    for amount in amounts:
        fund_merchant(shop.app, shop.owner.merchant, amount, currency=currency)


def _post(shop: Shop, kind: str, amounts: dict[Any, int]) -> uuid.UUID:
    """An entry of the ledger; its ref."""
    ref = ids.uuid7()

    def work(session: Any) -> None:
        by_id = {account_id(session, account): amount for account, amount in amounts.items()}
        ledger.post(session, kind, ref_id=ref, now=clock.now(), currency="KES", amounts=by_id)

    with shop.app.app_context():
        transaction(work)
    return ref


def _lines(shop: Shop, query: str = "") -> list[tuple[str, float]]:
    return [
        (row["type"], row["amount"]) for row in _get(shop, f"/transactions?limit=100{query}").json["results"]
    ]


def test_balances_are_of_every_account_of_the_tenant(shop: Shop) -> None:
    tenant_id = shop.owner.merchant.tenant_id
    outside = platform_account(AccountKind.EXTERNAL, "", "KES")
    _fund(shop, 100_000)
    _fund(shop, 500, currency="JPY")
    receivable = platform_account(AccountKind.RECEIVABLE, str(tenant_id), "KES")
    _post(shop, "test", {tenant_suspense(tenant_id, "KES"): 700, outside: -700})
    _post(shop, "test", {receivable: -900, outside: 900})
    _post(shop, "test", {tenant_direct(tenant_id, "KES"): 1_100, outside: -1_100})

    def hold(session: Any) -> None:
        wallet = account_id(session, tenant_wallet(tenant_id, "KES"))
        ledger.hold(session, ids.uuid7(), account_id=wallet, amount=2_500, now=clock.now())

    with shop.app.app_context():
        transaction(hold)
    kes = {
        "wallet_balance": 1000.0,
        "available_balance": 975.0,
        "held": 25.0,
        "in_suspense": 7.0,
        "owed": 9.0,
        "direct": 11.0,
        "currency": "KES",
    }
    found = _get(shop, "/balance")
    assert b'"wallet_balance":1000.0,' in found.data
    jpy = dict.fromkeys(kes, 0) | {"wallet_balance": 500, "available_balance": 500, "currency": "JPY"}
    assert found.json == kes | {"balances": [jpy, kes]}
    assert b'"wallet_balance":500,' in _get(shop, "/balance?currency=jpy").data
    assert _get(shop, "/balance?currency=USD").json["wallet_balance"] == 0
    assert _get(shop, "/balance?currency=XXX").status_code == 400


def test_a_payments_fee_is_a_line_of_its_own(app: Flask, shop: Shop) -> None:
    """Breaks when the lines are the ledger's postings: the customer paid 1,000 and the line says 965."""
    paid = shop.check_out(shop.order(1000, reference="ORD-1")).json
    headers = shop.owner.merchant.headers | {"Idempotency-Key": str(uuid.uuid4())}
    body = {"amount": 400, "reason": "One shirt"}
    refund = app.test_client().post(f"/api/v1/payments/{paid['id']}/refund", json=body, headers=headers)
    assert refund.status_code == 200, refund.data
    assert _lines(shop) == [("refund", -400.0), ("fee", -35.0), ("payment", 1000.0)]
    assert _lines(shop, "&type=fee") == [("fee", -35.0)]
    rows = _get(shop, "/transactions").json["results"]
    assert {row["payment_id"] for row in rows} == {paid["id"]}
    assert {row["order_id"] for row in rows} == {paid["order_id"]}
    assert {row["reference"] for row in rows} == {"ORD-1"}
    assert [bool(row["refund_id"]) for row in rows] == [True, False, False]
    assert len({row["id"] for row in rows}) == 3
    assert sum(row["amount"] for row in rows) == _get(shop, "/balance").json["wallet_balance"]


def test_a_withdrawals_fee_is_a_line_of_its_own(shop: Shop) -> None:
    _fund(shop, 100_000)
    wallet = tenant_wallet(shop.owner.merchant.tenant_id, "KES")
    outside = platform_account(AccountKind.EXTERNAL, "", "KES")
    fees = platform_account(AccountKind.FEES, "", "KES")
    _post(shop, "payout", {wallet: -50_000, outside: 46_700, fees: 3_300})
    _post(shop, "payout_return", {wallet: 50_000, outside: -46_700, fees: -3_300})
    assert _lines(shop) == [
        ("fee", 33.0),
        ("withdrawal_return", 467.0),
        ("fee", -33.0),
        ("withdrawal", -467.0),
        ("deposit", 1000.0),
    ]
    debt = platform_account(AccountKind.RECEIVABLE, str(shop.owner.merchant.tenant_id), "KES")
    _post(shop, "payout", {wallet: -2_000, debt: -48_000, outside: 46_700, fees: 3_300})
    assert _lines(shop)[0] == ("fee", -20.0)
    assert len(_lines(shop)) == 6


def test_pages_have_every_line_once(app: Flask, shop: Shop) -> None:
    """Also between a payment and its fee, and with lines of two currencies."""
    for _ in range(3):
        shop.check_out(shop.order(1000))
        _fund(shop, 700, currency="USD")
    everything = _get(shop, "/transactions?limit=100").json["results"]
    assert len(everything) == 9
    for limit in (1, 2, 4):
        found, cursor = [], ""
        while cursor is not None:
            page = _get(shop, f"/transactions?limit={limit}{cursor and f'&cursor={cursor}'}").json
            assert page["count"] == len(page["results"]) <= limit
            found, cursor = [*found, *page["results"]], page["next_cursor"]
        assert found == everything
    assert [row["currency"] for row in _get(shop, "/transactions?currency=USD").json["results"]] == [
        "USD"
    ] * 3
    other = make_shop(app)
    assert _get(other, f"/transactions?cursor={everything[0]['id']}").status_code == 400
    assert _get(other, "/transactions").json == {"count": 0, "results": [], "next_cursor": None}
    assert _get(shop, "/transactions?cursor=txn_x").status_code == 400


def test_a_rare_type_is_searched_in_steps(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when one request looks for it through the whole wallet."""
    shop.check_out(shop.order(1000))
    _fund(shop, *[100] * 6)
    monkeypatch.setattr(lines, "MAX_SCANNED", 3)
    first = _get(shop, "/transactions?type=payment").json
    assert (first["count"], bool(first["next_cursor"])) == (0, True)
    second = _get(shop, f"/transactions?type=payment&cursor={first['next_cursor']}").json
    third = _get(shop, f"/transactions?type=payment&cursor={second['next_cursor']}").json
    assert [row["type"] for row in third["results"]] == ["payment"]


def test_lines_as_csv(shop: Shop) -> None:
    """References are safe for spreadsheets. Breaks when a cell is written as the customer's shop has named it."""
    reference = '=HYPERLINK("http://example.com"),x'
    shop.check_out(shop.order(1000, reference=reference))
    by_header = _get(shop, "/transactions", accept="text/csv")
    by_query = _get(shop, "/transactions?format=csv")
    assert by_header.data == by_query.data
    assert by_header.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(by_header.text)))
    assert [(row["type"], row["amount"], row["reference"]) for row in rows] == [
        ("fee", "-35.00", f"'{reference}"),
        ("payment", "1000.00", f"'{reference}"),
    ]
    shown = _get(shop, "/transactions").json["results"]
    assert [row["id"] for row in rows] == [line["id"] for line in shown]
    assert _get(shop, "/transactions", accept="*/*").is_json
    for begin in ("+", "-", "@"):
        shop.check_out(shop.order(1000, reference=f"{begin}1"))
        (row,) = csv.DictReader(
            io.StringIO(_get(shop, "/transactions?format=csv&type=payment").text).readlines()[:2]
        )
        assert row["reference"] == f"'{begin}1"


@pytest.fixture
def wallet_of_a_month(shop: Shop) -> tuple[Shop, list[str]]:
    """A deposit of 1, 2, 4, … KES each day; and the days' beginnings, a second before each."""
    days = []
    for number in range(DAYS):
        days.append(iso_z(clock.now() - timedelta(seconds=1)))
        _fund(shop, 100 * 2**number)
        clock.travel(timedelta(days=1))
    return shop, [*days, iso_z(clock.now())]


def _statement(shop: Shop, since: str, before: str) -> Any:
    return _get(shop, f"/statement?from={since}&to={before}".replace("+", "%2B"))


def _check_statements(shop: Shop, days: list[str]) -> None:
    for first in range(DAYS):
        for last in range(first + 1, DAYS + 1):
            found = _statement(shop, days[first], days[last])
            assert found.status_code == 200, found.data
            amounts = [row["amount"] for row in found.json["results"]]
            assert amounts == [float(2**number) for number in range(first, last)]
            opening, closing = found.json["opening_balance"], found.json["closing_balance"]
            assert (opening, closing) == (2**first - 1, 2**last - 1)


def test_a_statement_is_what_the_lines_say(wallet_of_a_month: tuple[Shop, list[str]]) -> None:
    _check_statements(*wallet_of_a_month)


def test_a_statement_begins_at_the_nearest_mark(
    wallet_of_a_month: tuple[Shop, list[str]], rows: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when a mark is made, or read, beside its posting. With marks for every second posting, one made by a request."""
    shop, days = wallet_of_a_month
    monkeypatch.setattr(marks, "MARK_EVERY", 2)
    monkeypatch.setattr(marks, "MAX_MARKS", 1)
    asked = [_statement(shop, days[-2], days[-1]).status_code for _ in range(3)]
    assert asked == [503, 200, 200]
    _check_statements(shop, days)
    tenant_id = shop.owner.merchant.tenant_id
    postings = "SELECT p.id, p.account_id, p.amount FROM postings p JOIN accounts a ON a.id = p.account_id "
    before = 0
    for posting in rows(postings + "WHERE a.tenant_id = :id ORDER BY p.id", id=tenant_id):
        with shop.app.app_context(), reading() as session:
            assert marks.balance_before(session, posting.account_id, posting.id) == before
        before += posting.amount
    made = "SELECT m.balance FROM balance_marks m JOIN accounts a ON a.id = m.account_id WHERE a.tenant_id = :id ORDER BY 1"
    assert [row.balance for row in rows(made, id=tenant_id)] == [300, 1500]


def test_a_statement_is_exact_to_the_second(shop: Shop) -> None:
    """Postings are looked up with a margin. Breaks when what is in the margin is counted twice, or left out."""
    moments = []
    for amount in (100, 200, 400):
        _fund(shop, amount)
        clock.travel(timedelta(seconds=10))
        moments.append(iso_z(clock.now() - timedelta(seconds=5)))
    found = _statement(shop, moments[0], moments[1]).json
    assert (found["opening_balance"], found["closing_balance"]) == (1.0, 3.0)
    assert [row["amount"] for row in found["results"]] == [2.0]


def test_fresh_postings_are_not_marked(
    shop: Shop, rows: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with a lower id may still be committed. Breaks when the age is not looked at."""
    monkeypatch.setattr(marks, "MARK_EVERY", 2)
    _fund(shop, 100, 200, 400)
    clock.travel(timedelta(minutes=30))
    since, before = (iso_z(clock.now() + timedelta(minutes=moved)) for moved in (-1, 1))
    assert _statement(shop, since, before).json["opening_balance"] == 7.0
    made = "SELECT FROM balance_marks m JOIN accounts a ON a.id = m.account_id WHERE a.tenant_id = :id"
    assert rows(made, id=shop.owner.merchant.tenant_id) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-01-01", "to: This field is required."),
        ("from=2026-01-02&to=2026-01-01", "end after it begins"),
        ("from=2024-01-01&to=2025-06-01", "at most 366 days"),
        ("from=yesterday&to=2025-06-01", "from: This must be a date"),
        ("from=2026-01-01&to=2026-01-02&currency=XXX", "This currency is not supported."),
    ],
)
def test_a_statement_has_a_bounded_period(shop: Shop, query: str, said: str) -> None:
    answer = _get(shop, f"/statement?{query}")
    assert answer.status_code == 400
    assert said in answer.json["error"]


def test_a_statement_has_a_bounded_number_of_lines(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MAX_POSTINGS", 2)
    _fund(shop, 1, 2, 4)
    day = clock.now().date().isoformat()
    answer = _get(shop, f"/statement?from={day}&to={day}")
    assert answer.status_code == 400
    assert "ask for a shorter one" in answer.json["error"]


def test_lines_of_a_period(wallet_of_a_month: tuple[Shop, list[str]]) -> None:
    shop, days = wallet_of_a_month
    assert _lines(shop, f"&from={days[2]}&to={days[5]}") == [
        ("deposit", 16.0),
        ("deposit", 8.0),
        ("deposit", 4.0),
    ]
    assert _lines(shop, f"&from={days[-1]}") == []


def test_who_may_look(app: Flask, shop: Shop) -> None:
    merchant, client = shop.owner.merchant, app.test_client()
    assert client.get(f"{WALLET}/balance", headers=tenant_headers(merchant)).status_code == 200
    assert client.get("/v1/wallet/balance", headers=tenant_headers(merchant)).status_code == 200
    lead = make_member(app, merchant, Role.SUPPORT_LEAD)
    for path in ("balance", "transactions", "statement?from=2026-01-01&to=2026-01-02"):
        refused = client.get(f"{WALLET}/{path}", headers=lead.headers)
        assert (refused.status_code, refused.json) == (
            403,
            {"detail": "Missing required scope: finance:view"},
        )


def test_amounts_are_exact(shop: Shop) -> None:
    """A sum beyond a float's digits: 920000000000000.1 where it passes through one."""
    _fund(shop, 10**15, 10**15, 7)
    _fund(shop, *[10**15] * 90)
    assert b'"wallet_balance":920000000000000.07,' in _get(shop, "/balance").data

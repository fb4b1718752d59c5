"""Ledger accounts of tenants and of the platform: opened once, apart from each other, never below zero where floored."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock, ids, ledger
from app.errors import InsufficientBalance
from app.extensions import db
from app.ledger.chart import account_id, balances, platform_account, tenant_suspense, tenant_wallet
from app.models.account import AccountKind
from app.money import Money
from app.services.wallets.wallets import external_account
from app.unit_of_work import transaction
from tests.support.concurrency import concurrently
from tests.support.database import connection, one
from tests.support.tenants import MerchantClient, fund_merchant, make_merchant
from tests.support.waiting import wait_until


def test_a_wallet_is_opened_once_however_many_try(app: Flask, merchant: MerchantClient, rows) -> None:
    def open_it(_: int) -> int:
        with app.app_context():
            return transaction(lambda session: account_id(session, tenant_wallet(merchant.tenant_id, "KES")))

    assert len(set(concurrently(12, open_it))) == 1
    found = rows(
        "SELECT public_id, kind, currency, floored FROM accounts WHERE tenant_id = :id", id=merchant.tenant_id
    )
    assert [tuple(row) for row in found] == [
        (f"tenant:{merchant.tenant_id}:KES", "tenant_wallet", "KES", True)
    ]


def test_who_comes_second_gets_the_first_one_s_account_and_goes_on(
    app: Flask, merchant: MerchantClient, settings: dict[str, str]
) -> None:
    """The second waits for the first to commit, and its own transaction survives the collision."""

    def open_it() -> tuple[int, int]:
        with app.app_context():
            return transaction(
                lambda session: (
                    account_id(session, tenant_wallet(merchant.tenant_id, "KES")),
                    session.scalar(text("SELECT 42")),
                )
            )

    waiting = (
        "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE NOT granted AND datname = current_database()"
    )
    with (
        app.app_context(),
        Session(db.engine) as first,
        ThreadPoolExecutor(1) as pool,
        connection(settings, as_owner=True) as watcher,
    ):
        opened = account_id(first, tenant_wallet(merchant.tenant_id, "KES"))
        second = pool.submit(open_it)
        wait_until(lambda: one(watcher, waiting) == 1, "the second to wait", timeout_s=8)
        first.commit()
        assert second.result(timeout=30) == (opened, 42)


def test_platform_accounts_have_readable_names(app: Flask, merchant: MerchantClient, rows) -> None:
    def work(session) -> dict[int, str]:
        return {
            account_id(session, platform_account(AccountKind.CLEARING, "mpesa", "KES")): "clearing:mpesa:KES",
            account_id(session, platform_account(AccountKind.FEES, "", "KES")): "fees:KES",
            account_id(session, platform_account(AccountKind.SUSPENSE, "", "KES")): "suspense:KES",
            account_id(
                session, tenant_suspense(merchant.tenant_id, "KES")
            ): f"suspense:{merchant.tenant_id}:KES",
            external_account(session, "KES"): "external:KES",
        }

    with app.app_context():
        expected = transaction(work)
        assert transaction(work) == expected
    found = rows(
        "SELECT id, public_id, kind, floored, tenant_id FROM accounts WHERE id = ANY(:ids)",
        ids=list(expected),
    )
    assert {row.id: row.public_id for row in found} == expected and len(expected) == 5
    assert {row.kind for row in found} == {"clearing", "fees", "suspense", "external"}
    assert not any(row.floored for row in found)
    assert [row.public_id for row in found if row.tenant_id] == [f"suspense:{merchant.tenant_id}:KES"]


def test_balances_are_the_tenant_s_own_by_currency(app: Flask, merchant: MerchantClient) -> None:
    other = make_merchant(app)
    fund_merchant(app, merchant, 5000, currency="USD")
    fund_merchant(app, merchant, 700, currency="KES")
    fund_merchant(app, other, 99, currency="KES")
    with app.app_context():
        refund_id = uuid.uuid4()

        def work(session) -> None:
            account_id(session, tenant_suspense(merchant.tenant_id, "KES"))
            wallet = account_id(session, tenant_wallet(merchant.tenant_id, "USD"))
            ledger.hold(session, refund_id, account_id=wallet, amount=1500, now=clock.now())

        transaction(work)
        found = balances(merchant.tenant_id)
        assert [(item.balance, item.held, item.available) for item in found] == [
            (Money(700, "KES"), Money(0, "KES"), Money(700, "KES")),
            (Money(5000, "USD"), Money(1500, "USD"), Money(3500, "USD")),
        ]
        assert balances(uuid.uuid4()) == []


def test_a_tenant_s_wallet_never_goes_below_zero(app: Flask, merchant: MerchantClient) -> None:
    fund_merchant(app, merchant, 100)

    def take(session) -> None:
        wallet = account_id(session, tenant_wallet(merchant.tenant_id, "KES"))
        amounts = {wallet: -101, account_id(session, platform_account(AccountKind.FEES, "", "KES")): 101}
        ledger.post(session, "test", ref_id=ids.uuid7(), now=clock.now(), currency="KES", amounts=amounts)

    with app.app_context(), pytest.raises(InsufficientBalance):
        transaction(take)

"""`flask ledger check` names what is wrong. Each rule is shown a ledger that its owner damaged, then undone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.orm import Session

from app.config.database import driver_url
from app.ledger import check
from tests.support import ledger_sql as ledger
from tests.support import servers
from tests.support.database import run


@pytest.fixture(scope="module")
def settings(settings: dict[str, str]) -> dict[str, str]:
    """A database of these tests' own: other tests post entries that belong to nothing."""
    return settings | servers.urls_of_new_database()


@pytest.fixture
def transaction(settings: dict[str, str]) -> Iterator[Connection]:
    """The owner's transaction with triggers off, rolled back at the end."""
    engine = create_engine(driver_url(settings["DATABASE_OWNER_URL"]))
    with engine.connect() as opened:
        for table in ("entries", "postings"):
            opened.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER insert_only")
        yield opened
    engine.dispose()


@pytest.fixture
def damaged(transaction: Connection) -> Any:
    """The same for the helpers that speak psycopg2."""
    return transaction.connection.driver_connection


def _rules_broken(transaction: Connection) -> set[str]:
    with Session(transaction) as session:
        return {finding.rule for finding in check(session)}


@pytest.fixture
def wallet(damaged: Any) -> int:
    account, _ = ledger.open_account(damaged)
    ledger.fund(damaged, account, 100)
    ledger.fold_all(damaged)
    return account


def test_a_clean_ledger_has_no_findings(transaction: Connection, wallet: int) -> None:
    assert wallet
    assert _rules_broken(transaction) == set()


@pytest.mark.parametrize(
    ("damage", "rules"),
    [
        ("UPDATE accounts SET balance = balance + 1 WHERE id = %(wallet)s", {"balance equals postings"}),
        (
            "UPDATE postings SET amount = amount + 1 WHERE account_id = %(wallet)s",
            {"entry sums to zero", "balance equals postings"},
        ),
        (
            "DELETE FROM postings WHERE account_id = %(wallet)s",
            {"entry sums to zero", "balance equals postings"},
        ),
        (
            "DELETE FROM entries WHERE id IN (SELECT entry_id FROM postings WHERE account_id = %(wallet)s)",
            {"posting has its entry"},
        ),
        (
            "UPDATE accounts SET currency = 'EUR' WHERE id = %(wallet)s",
            {"posting is on an account of its entry's currency"},
        ),
        ("UPDATE accounts SET held = 5 WHERE id = %(wallet)s", {"held equals open holds"}),
        (
            "INSERT INTO unfolded VALUES (%(wallet)s, 999999999, 5)",
            {"balance equals postings", "queue row has its posting"},
        ),
        (
            "INSERT INTO balance_marks VALUES (%(wallet)s, 999999999, 5)",
            {"balance mark equals postings"},
        ),
        (
            "INSERT INTO entries VALUES (gen_random_uuid(), NULL, 'wallet_payment', gen_random_uuid(), 'USD', now())",
            {"entry sums to zero", "wallet payment entry has its payment"},
        ),
        (
            (
                "INSERT INTO direct_fundings VALUES (gen_random_uuid(), 'deposit', gen_random_uuid(), %(wallet)s, "
                "gen_random_uuid(), 5, 'USD', 'bank', NULL, NULL, now())"
            ),
            {"direct funding has its entry"},
        ),
    ],
)
def test_damage_is_named(
    damaged: Any, transaction: Connection, wallet: int, damage: str, rules: set[str]
) -> None:
    with damaged.cursor() as cursor:
        cursor.execute(damage, {"wallet": wallet})
    assert _rules_broken(transaction) == rules


def test_a_payment_without_its_money_is_named(damaged: Any, transaction: Connection, wallet: int) -> None:
    run(
        damaged,
        "INSERT INTO wallet_payments SELECT %s::uuid, gen_random_uuid(), gen_random_uuid(), %s, %s, 'a', 'b', "
        "gen_random_uuid(), 5, 'USD', NULL, NULL, 'pending', NULL, now(), NULL",
        str(uuid.uuid4()),
        wallet,
        wallet,
    )
    assert _rules_broken(transaction) == {"wallet payment has its entry"}


@pytest.mark.parametrize(
    ("state", "held", "rules"),
    [
        ("open", 5, {"open dispute has its hold"}),
        ("won", 5, {"open dispute has its hold"}),
        ("lost", 0, {"lost dispute has its entry"}),
        ("open", 0, set()),
    ],
)
def test_a_dispute_without_its_money_is_named(
    damaged: Any, transaction: Connection, state: str, held: int, rules: set[str]
) -> None:
    run(
        damaged,
        "INSERT INTO disputes SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'stripe', "
        "NULL, 'du_1', 5, 'USD', NULL, 'word', %s, %s, 0, now(), now(), NULL",
        state,
        held,
    )
    assert _rules_broken(transaction) == rules

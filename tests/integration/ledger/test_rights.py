"""Database rights: written entries are immutable, and the application reaches the ledger by functions only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from app.ledger.install import sources
from tests.support import ledger_sql as ledger
from tests.support.database import connection, one, run

LEDGER_TABLES = ("accounts", "entries", "postings", "unfolded", "holds", "spending", "wallet_payments")
INSERT_ONLY = ("entries", "postings", "events")


@pytest.fixture
def owner(settings: dict[str, str]) -> Iterator[Any]:
    """The owner, in a transaction that is rolled back, with at least one row in every insert-only table."""
    with connection(settings, as_owner=True, is_autocommit=False) as opened:
        ledger.fund(opened, ledger.open_account(opened)[0], 5)
        run(
            opened,
            "INSERT INTO events VALUES (1000000000, NULL, 'wallet.opened', 'acc_x', NULL, NULL, true, '{}', "
            "now(), '\\x00')",
        )
        yield opened


@pytest.mark.parametrize("table", INSERT_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_not_even_the_owner_changes_what_is_written(owner: Any, table: str, statement: str) -> None:
    """Breaks without the insert_only triggers."""
    column = {"entries": "kind", "postings": "amount", "events": "type"}[table]
    with pytest.raises(psycopg2.Error) as caught:
        run(owner, statement.format(table, column, column))
    assert caught.value.pgcode == "LG009"


def test_the_application_deletes_no_key(db_connection: Any) -> None:
    """Breaks when the migration grants it: a key that is forgotten moves money again."""
    for statement in ("DELETE FROM idempotency", "TRUNCATE idempotency"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(db_connection, statement)


@pytest.mark.parametrize("table", [*LEDGER_TABLES, "events", "direct_fundings"])
@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"])
def test_the_application_changes_no_ledger_table(db_connection: Any, table: str, statement: str) -> None:
    """Breaks when the migration grants more than SELECT."""
    column = one(
        db_connection,
        "SELECT column_name::text FROM information_schema.columns WHERE table_name = %s AND is_identity = 'NO' "
        "ORDER BY ordinal_position LIMIT 1",
        table,
    )
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(db_connection, statement.format(table, column))


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO accounts (public_id, kind, currency, floored, balance, created_at) "
            "VALUES ('acc_forged', 'wallet', 'USD', true, 100000, now())"
        ),
        "INSERT INTO entries VALUES (gen_random_uuid(), NULL, 'deposit', gen_random_uuid(), 'USD', now())",
        "INSERT INTO postings (entry_id, account_id, amount) VALUES (gen_random_uuid(), 1, 100000)",
        "INSERT INTO unfolded VALUES (1, 1, 100000)",
        "INSERT INTO holds VALUES (gen_random_uuid(), 1, 5, 'open', now())",
        "INSERT INTO spending VALUES (gen_random_uuid(), '2026-01-01', 0)",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION fold(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "SELECT setval('outbox_id_seq', 1)",
        "RESET ROLE; SET ROLE malipo_owner",
    ],
)
def test_the_application_forges_nothing(db_connection: Any, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(db_connection, statement)


def test_the_application_is_no_superuser(db_connection: Any) -> None:
    assert run(
        db_connection,
        "SELECT current_user::text, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user",
    ) == [("malipo_app", False, False)]


def test_the_database_runs_the_functions_of_the_files(db_connection: Any) -> None:
    """Breaks when a file changed and no migration ran: the code would speak to another function."""
    for name, source in sources().items():
        body = one(db_connection, "SELECT prosrc FROM pg_proc WHERE proname = %s", name)
        assert body in source, name


def test_only_the_application_may_call_them_and_they_run_as_their_owner(db_connection: Any) -> None:
    """A SECURITY DEFINER function that every role may call, or that uses the caller's search path, would be a
    security hole."""
    for name in sources():
        rights = run(
            db_connection,
            "SELECT prosecdef, proconfig::text, proacl::text FROM pg_proc WHERE proname = %s",
            name,
        )
        ((is_definer, settings, acl),) = rights
        assert is_definer, name
        assert "search_path=public, pg_temp" in settings, name
        assert "{=X" not in acl, name
        assert ",=X" not in acl, name

"""The database is what the models and the SQL files say, and migrations are one line."""

from __future__ import annotations

import re
import uuid

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import create_engine, text

from app.extensions import Base
from app.ledger.install import sources
from tests.support.migrations import MIGRATIONS, migration


def test_migrations_are_one_line() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert len(scripts.get_heads()) == 1 and len(scripts.get_bases()) == 1
    assert all(
        not script.is_branch_point and not script.is_merge_point for script in scripts.walk_revisions()
    )


@pytest.fixture
def owner_connection(app: Flask):
    engine = create_engine(app.config["OWNER_DATABASE_URI"])
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_models_equal_the_database(owner_connection) -> None:
    def is_ours(thing, name, kind, is_reflected, other) -> bool:
        return name != "alembic_version" and not (kind == "table" and thing.info.get("is_view"))

    context = MigrationContext.configure(
        owner_connection,
        opts={"include_object": is_ours, "compare_type": True, "target_metadata": Base.metadata},
    )
    assert compare_metadata(context, Base.metadata) == []


def test_views_have_the_columns_their_models_name(owner_connection) -> None:
    views = [table for table in Base.metadata.tables.values() if table.info.get("is_view")]
    assert views
    for view in views:
        found = owner_connection.execute(
            text("SELECT column_name FROM information_schema.columns WHERE table_name = :name"),
            {"name": view.name},
        ).scalars()
        assert {column.name for column in view.columns} <= set(found)


def test_functions_in_the_database_are_the_files(owner_connection) -> None:
    rows = owner_connection.execute(
        text("SELECT proname, prosrc, prosecdef, proconfig FROM pg_proc WHERE proname = ANY(:names)"),
        {"names": list(sources())},
    ).all()
    assert len(rows) == len(sources()), "a function is missing, or there are two of one name"
    for name, body, is_definer, settings in rows:
        assert body.strip() in sources()[name], name
        if is_definer:
            assert any(setting.startswith("search_path=") for setting in settings or []), (
                f"{name} trusts search_path"
            )


def test_no_function_reads_the_time(owner_connection) -> None:
    clocks = re.compile(
        r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(|current_(date|timestamp)",
        re.I,
    )
    for name, source in sources().items():
        code = re.sub(r"--.*", "", source)
        assert not clocks.search(code), f"{name} reads the machine's time"


def test_the_application_role_writes_the_ledger_only_through_functions(app: Flask, owner_connection) -> None:
    guarded = ("accounts", "entries", "postings", "unfolded", "holds", "spending", "wallet_payments")
    for table in guarded:
        for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            may = owner_connection.execute(
                text("SELECT has_table_privilege('malipo_app', :table, :right)"),
                {"table": table, "right": right},
            ).scalar_one()
            assert not may, f"malipo_app may {right} {table}"


ACCEPTED_BEFORE = """
ALTER TABLE payments DROP COLUMN requested_amount, DROP COLUMN requested_currency;
ALTER TABLE payment_attempts DROP COLUMN collected_currency;
INSERT INTO payments (id, tenant_id, idempotency_key, provider, payment_method, amount, currency, status, refund_reserved,
  refunded, created_at, updated_at)
  VALUES ('{id}', '{id}', 'k', 'cpay', 'cpay', 9000, 'EUR', 'completed', 0, 0, '2026-01-01Z', '2026-01-01Z');
INSERT INTO payment_attempts (id, payment_id, number, provider, environment, reference, short_reference, callback_token,
  state, collected, inquiries, sendings, created_at, updated_at)
  VALUES ('{id}', '{id}', 1, 'cpay', 'sandbox', '{id}', 'S', '{id}', 'succeeded', 9000, 0, 1, '2026-01-01Z', '2026-01-01Z');
INSERT INTO entries (id, kind, ref_id, currency, at) VALUES
  (gen_random_uuid(), 'suspense', '{id}', 'EUR', '2026-01-01Z'),
  (gen_random_uuid(), 'suspense_release', '{id}', 'EUR', '2026-01-01Z');
INSERT INTO outbox (type, object_id, is_public, data, at)
  VALUES ('payment.initiated', '{id}', true, '{{"amount_minor": 10000, "currency": "USD"}}', '2026-01-01Z');
"""
"""100 USD were requested, 90 EUR collected and accepted: the payment says nothing of the dollars any more."""


def test_requested_and_collected_money_are_found_for_existing_payments(owner_connection) -> None:
    """Breaks when the migration takes the accepted amount of an existing payment for the requested one."""
    migrated = migration("money_as_amount_and_currency")
    payment_id = uuid.uuid4()
    for statements in (
        ACCEPTED_BEFORE.format(id=payment_id),
        migrated.COLLECTED,
        migrated.REQUESTED,
    ):
        owner_connection.exec_driver_sql(statements)
    found = owner_connection.execute(
        text(
            "SELECT p.requested_amount, p.requested_currency, p.amount, a.collected_currency FROM payments p "
            "JOIN payment_attempts a ON a.payment_id = p.id WHERE p.id = :id"
        ),
        {"id": payment_id},
    ).one()
    owner_connection.rollback()
    assert tuple(found) == (100_00, "USD", 90_00, "EUR")


FAILED_BEFORE = """
INSERT INTO refunds (id, payment_id, attempt_id, tenant_id, amount, currency, origin, is_from_suspense, reference, callback_token,
  state, error_code, error_message, refunded_before, inquiries, created_at, updated_at)
  VALUES ('{id}', '{id}', '{id}', '{id}', 100, 'KES', 'gateway', false, '{id}', '{id}', 'failed', '2001',
    'It cannot be reversed.', 0, 0, '2026-01-01Z', '2026-01-01Z');
"""


def test_refunds_that_failed_keep_the_reason_their_merchants_have_read(owner_connection) -> None:
    refund_id = uuid.uuid4()
    migrated = migration("payment_details")
    for statements in (
        migrated.DROPPED,
        FAILED_BEFORE.format(id=refund_id),
        migrated.COLUMNS,
    ):
        owner_connection.exec_driver_sql(statements)
    found = owner_connection.execute(
        text("SELECT failure_code, failure_reason, error_code FROM refunds WHERE id = :id"), {"id": refund_id}
    ).one()
    owner_connection.rollback()
    assert tuple(found) == (None, "It cannot be reversed.", "2001")

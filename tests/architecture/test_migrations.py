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
from app.services.provider_access import callback_tokens
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
  refunded, api, created_at, updated_at)
  VALUES ('{id}', '{id}', 'k', 'cpay', 'cpay', 9000, 'EUR', 'completed', 0, 0, 'gateway', '2026-01-01Z', '2026-01-01Z');
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


TOKENS_BEFORE = """
INSERT INTO payment_attempts (id, payment_id, number, provider, environment, reference, short_reference, callback_token,
  state, inquiries, sendings, created_at, updated_at)
  VALUES ('{id}', '{id}', 1, 'cpay', 'sandbox', '{state}-{id}', 'S', '{state}-{id}', '{state}', 0, 1, '2026-01-01Z', '2026-01-01Z');
INSERT INTO provider_events (id, provider, scope, provider_event_id, event_type, kind, is_verified, path_token, method, query,
  headers, body, state, repeats, confirmations, received_at)
  VALUES ('{id}', 'cpay', 'token:{state}-{id}', 'e', 't', 'payment', true, '{state}-{id}', 'POST', '{{}}', '{{}}', '', 'received',
    0, 0, '2026-01-01Z');
"""


@pytest.mark.parametrize(("state", "keeps"), [("succeeded", False), ("pending", True)])
def test_tokens_of_what_has_ended_become_digests(owner_connection, state: str, keeps: bool) -> None:
    """Breaks when a stored callback and the attempt it came to hold different texts afterwards."""
    row_id = uuid.uuid4()
    owner_connection.exec_driver_sql(TOKENS_BEFORE.format(id=row_id, state=state))
    owner_connection.exec_driver_sql(migration("callbacks").DIGESTS)
    found = owner_connection.execute(
        text(
            "SELECT a.callback_token, e.path_token, e.scope FROM payment_attempts a JOIN provider_events e ON e.id = a.id "
            "WHERE a.id = :id"
        ),
        {"id": row_id},
    ).one()
    owner_connection.rollback()
    token = f"{state}-{row_id}"
    stored = token if keeps else callback_tokens.digest(token)
    assert tuple(found) == (stored, stored, f"token:{stored}")


def test_reviews_with_newer_reasons_survive_a_downgrade(owner_connection) -> None:
    """Breaks when two of one payment become two open ones with the same reason."""
    migrated = migration("review_reasons")
    row = "(gen_random_uuid(), '{id}', '{reason}', '2026-01-01Z', 'system')"
    payment_id = uuid.uuid4()
    reviews = ", ".join(
        row.format(id=payment_id, reason=reason)
        for reason in ("outcome_unknown", "payment_stuck", "contradicting_answers")
    )
    for statements in (
        f"INSERT INTO payment_reviews (id, payment_id, reason, opened_at, opened_by) VALUES {reviews};",
        migrated.RENAMED,
        migrated.CHECK.format(migrated.OLD),
    ):
        owner_connection.exec_driver_sql(statements)
    count = text("SELECT count(*) FROM payment_reviews WHERE payment_id = :id AND closed_at IS NULL")
    still_open = owner_connection.execute(count, {"id": payment_id}).scalar_one()
    owner_connection.rollback()
    assert still_open == 1


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

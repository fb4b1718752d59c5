"""The database is what the models and the SQL files say, and migrations are one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import create_engine, text

from app.extensions import Base
from app.ledger.install import sources

MIGRATIONS = Path(__file__).parents[2] / "migrations"


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

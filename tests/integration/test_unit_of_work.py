"""Reading: one snapshot for all of a block's queries, and no writing."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.unit_of_work import reading, transaction
from tests.support.factories import make_user

TIER = text("SELECT tier FROM users WHERE id = :id")
SET_TIER = text("UPDATE users SET tier = :tier WHERE id = :id")


def test_queries_of_a_block_see_one_state(app: Flask) -> None:
    """Breaks with READ COMMITTED: an answer shows the one half before a change and the other after it."""
    user = make_user(app, tier=0)
    with app.app_context():
        with reading() as session:
            assert session.scalar(TIER, {"id": user.user_id}) == 0
            transaction(lambda s: s.execute(SET_TIER, {"id": user.user_id, "tier": 2}))
            assert session.scalar(TIER, {"id": user.user_id}) == 0
        with reading() as session:
            assert session.scalar(TIER, {"id": user.user_id}) == 2


@pytest.mark.parametrize("statement", ["UPDATE users SET tier = 1", "SELECT FROM users FOR UPDATE"])
def test_a_block_that_reads_cannot_write_or_lock(app: Flask, statement: str) -> None:
    with app.app_context():
        with pytest.raises(DBAPIError, match="read-only"), reading() as session:
            session.execute(text(statement))
        transaction(lambda s: s.execute(text("SELECT FROM users LIMIT 1 FOR UPDATE")))

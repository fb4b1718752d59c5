"""The invariants that hold after every fault, checked in the database, the event log and the ledger's own check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import text

from app import ledger
from app.services.operator import audit as audit_log
from app.unit_of_work import reading
from tests.support.waiting import wait_until

_EVENTS_OF_PAYMENTS = """
SELECT w.id, w.status, count(e.seq) FILTER (WHERE e.type = 'wallet_payment.pending'),
  count(e.seq) FILTER (WHERE e.type = 'wallet_payment.completed'), count(e.seq)
FROM wallet_payments w LEFT JOIN events e ON e.object_id = 'pmt_' || replace(w.id::text, '-', '')
GROUP BY w.id, w.status
"""

_EVENTS_OF_CASH = """
SELECT c.id, c.kind, count(e.seq) FROM direct_fundings c LEFT JOIN events e
  ON e.object_id = 'txn_' || replace(c.entry_id::text, '-', '') AND e.type =
    CASE c.kind WHEN 'deposit' THEN 'deposit.completed' ELSE 'cash_withdrawal.completed' END
GROUP BY c.id, c.kind
"""

_COMPLETED_BEFORE_PENDING = """
SELECT p.object_id FROM events p JOIN events c USING (object_id)
WHERE p.type = 'wallet_payment.pending' AND c.type = 'wallet_payment.completed' AND c.seq < p.seq
"""


def query(app: Flask, statement: str, **values: object) -> list[Any]:
    with app.app_context(), reading() as session:
        return list(session.execute(text(statement), values))


def total(app: Flask) -> dict[str, int]:
    """All wallets' money, by currency, in minor units."""
    return {
        currency: int(amount)
        for currency, amount in query(
            app, "SELECT currency, sum(balance) FROM account_balances WHERE kind = 'wallet' GROUP BY currency"
        )
    }


def wait_published(app: Flask, *, timeout_s: float = 30.0) -> None:
    """Until the relay has taken everything that was committed."""
    wait_until(lambda: not query(app, "SELECT FROM outbox LIMIT 1"), "an empty outbox", timeout_s=timeout_s)


def assert_invariants(app: Flask, *, timeout_s: float = 30.0) -> None:
    """Every payment final, one event per change, the log complete, the ledger without findings, no wallet below zero."""
    wait_published(app, timeout_s=timeout_s)
    payments = query(app, _EVENTS_OF_PAYMENTS)
    assert [row for row in payments if tuple(row[1:]) != ("completed", 1, 1, 2)] == []
    assert [row for row in query(app, _EVENTS_OF_CASH) if row[2] != 1] == []
    assert query(app, _COMPLETED_BEFORE_PENDING) == []
    known = len(payments) * 2
    assert query(app, "SELECT count(*) FROM events WHERE type LIKE 'wallet_payment.%'") == [(known,)]
    assert query(app, "SELECT public_id FROM account_balances WHERE kind = 'wallet' AND balance < held") == []
    with app.app_context():
        with reading() as session:
            found = [str(finding) for finding in ledger.check(session)]
            assert found == [], found
        assert verify(app) is None


def verify(app: Flask) -> str | None:
    """What `flask audit verify` finds first: `5: altered`, or None."""
    with app.app_context():
        anchors = Path(app.config["VAR_DIR"]) / "audit"
        _, found = audit_log.verify(app.config["AUDIT_KEY"], anchors=anchors)
    return f"{found.seq}: {found.reason}" if found else None

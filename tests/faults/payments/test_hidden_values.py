"""What the database says about a failed statement names no customer and no secret: neither the values that were sent,
nor the row that PostgreSQL shows.

Seen failing with the statement's parameters shown, and with PostgreSQL's DETAIL in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from app import logs
from app.services.payments import attempts as payment_attempts
from tests.support.gateway import CUSTOMER, Gateway

SECRET = "kept-secret-end-of-a-callback-url"
FORBIDDEN = (*CUSTOMER.values(), CUSTOMER["phone"].lstrip("+"), SECRET, "ORD-SECRET-77")


@contextmanager
def _refused_by(gateway: Gateway, table: str, rule: str) -> Iterator[None]:
    """The table takes no new row that breaks `rule`."""
    url = gateway.app.config["OWNER_DATABASE_URI"].replace("postgresql+psycopg2", "postgresql")
    with closing(psycopg2.connect(url)) as owner, owner.cursor() as cursor:
        owner.autocommit = True
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT for_a_test CHECK ({rule}) NOT VALID")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT for_a_test")


@pytest.mark.parametrize(
    ("table", "rule"), [("payments", "amount <> 4711"), ("payment_attempts", "number <> 1")]
)
def test_failed_insert_of_a_payment_logs_no_values(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: str,
    rule: str,
) -> None:
    """Breaks when the log of our own 500 holds the customer, or the secret end of the callback's URL."""
    monkeypatch.setattr(payment_attempts.secrets, "token_urlsafe", lambda _: SECRET)
    capsys.readouterr()
    with _refused_by(gateway, table, rule):
        answer = gateway.initialize("chapa", "47.11", metadata={"order_id": "ORD-SECRET-77"})
    assert answer.status_code == 500
    logged = capsys.readouterr().err
    assert "for_a_test" in logged, "the log says what was wrong"
    assert "INSERT INTO" in logged
    for word in FORBIDDEN:
        assert word not in logged, word
        assert word not in answer.text, word


def test_failed_job_logs_no_values(
    gateway: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same of the worker's log."""
    gateway.sandbox.control({"rules": [{"fault": "drop", "provider": "chapa", "times": 1}]})
    monkeypatch.setattr(payment_attempts.secrets, "token_urlsafe", lambda _: f"{SECRET}-of-a-job")
    payment_id = gateway.begin("chapa", 100, metadata={"order_id": "ORD-SECRET-77"})
    gateway.quiet()
    capsys.readouterr()
    with _refused_by(gateway, "payments", f"id <> '{payment_id}'"):
        gateway.advance(6)
        gateway.run_due()
    logged = capsys.readouterr().err
    assert "job.failed" in logged
    assert "for_a_test" in logged
    for word in FORBIDDEN:
        assert word not in logged, word
    assert gateway.settle(payment_id)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize(
    "message",
    [
        "duplicate key value\nDETAIL:  Key (customer_phone)=(+254700000000) already exists.\n\n[SQL: INSERT INTO t]",
        "violates check\nDETAIL:  Failing row contains (1, a\n\nb, +254700000000).\nCONTEXT:  PL/pgSQL function f()",
        "Task raised: IntegrityError('x\\nDETAIL:  Key (a)=(+254700000000) already exists.\\n')",
        "x\nDETAIL:  Key (a)=(+254700000000)\n\nThe above exception was the direct cause\n[SQL: INSERT INTO t]",
    ],
)
@pytest.mark.parametrize("name", ["exception", "event"])
def test_error_detail_is_hidden(name: str, message: str) -> None:
    found = str(logs.hide_details(None, "error", {name: message})[name])
    assert "254700000000" not in found
    for kept in ("INSERT INTO t", "PL/pgSQL function f()", "The above exception", "DETAIL"):
        assert (kept in found) == (kept in message), found

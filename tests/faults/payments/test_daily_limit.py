"""The daily check of a ledger that has grown large."""

from __future__ import annotations

import importlib

import pytest

from app import clock
from app.services.operator import reconciliation
from tests.support.gateway import Gateway


def test_a_rule_that_takes_too_long_ends_the_check_not_the_job(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the cancelled statement is taken for a bug: the job fails, and its traceback is all that is told."""
    monkeypatch.setattr(reconciliation, "CHECK_LIMIT_S", 1)
    check = importlib.import_module("app.ledger.check")  # the package's `check` is its function
    slow = dict(check.RULES) | {"slow": "SELECT 'a', 'b', pg_sleep(5)::text"}
    monkeypatch.setattr(check, "RULES", slow)
    with gateway.app.app_context():
        assert reconciliation.daily() > clock.now()

"""The daily check of a ledger that has grown large."""

from __future__ import annotations

import importlib

import pytest

from app import clock
from app.services.operator import reconciliation
from tests.support.gateway import Gateway


def test_slow_rule_ends_the_check_without_failing_the_job(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the cancelled statement counts as a bug: the job fails, and only its traceback is reported."""
    monkeypatch.setattr(reconciliation, "CHECK_LIMIT_S", 1)
    check = importlib.import_module("app.ledger.check")  # the package's `check` is its function
    slow = dict(check.RULES) | {"slow": "SELECT 'a', 'b', pg_sleep(5)::text"}
    monkeypatch.setattr(check, "RULES", slow)
    with gateway.app.app_context():
        assert reconciliation.daily() > clock.now()

"""A payment through a provider in this process: charged, and stored, by one statement."""

from __future__ import annotations

import pytest

from app.providers.cpay import adapter
from tests.faults.payments.facts import assert_paid_once
from tests.support.gateway import Gateway


def test_an_id_that_cpay_makes_twice(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of 48 bits. Breaks as a 500; nothing was stored, so the payment is begun again, with another id."""
    theirs = gateway.begin("cpay")
    ((taken,),) = gateway.rows("SELECT provider_transaction_id FROM payments WHERE id = :id", id=theirs)
    made, real = [taken], adapter.identity
    monkeypatch.setattr(
        adapter, "identity", lambda *given, **more: made.pop() if made else real(*given, **more)
    )
    ours = gateway.begin("cpay")
    assert_paid_once(gateway, ours)
    ((reference,),) = gateway.rows("SELECT provider_transaction_id FROM payments WHERE id = :id", id=ours)
    assert not made and reference != taken
    gateway.assert_ledger_matches_providers()

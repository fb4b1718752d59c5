"""An operator's word about a payout that is on its way at this moment, or never was."""

from __future__ import annotations

import threading

import pytest

from tests.faults.payments.facts import refused
from tests.support.waiting import wait_until
from tests.support.withdrawals import WithdrawingTenant


def _state(tenant: WithdrawingTenant, withdrawal_id: str) -> str | None:
    payout = tenant.payout(withdrawal_id)
    return payout and payout.state


@pytest.mark.parametrize("word", ["--failed", "--paid"])
def test_a_payout_that_is_being_sent_is_not_declared(tenant: WithdrawingTenant, word: str) -> None:
    """Breaks when the hold is released under a request that then pays: the tenant has the money twice."""
    slow = {"fault": "delay", "seconds": 2, "provider": "mpesa", "operation": "b2c", "times": 1}
    tenant.gateway.sandbox.control({"rules": [slow]})
    withdrawal_id = tenant.requested(1000)
    approver = threading.Thread(target=tenant.approve, args=(withdrawal_id,))
    approver.start()
    try:
        wait_until(lambda: _state(tenant, withdrawal_id) == "sending", "it is sent", timeout_s=20)
        assert "being sent" in refused(tenant.gateway, "withdrawals", "resolve", withdrawal_id, word)
    finally:
        approver.join()
    assert tenant.settle(withdrawal_id)["status"] == "completed"
    assert len(tenant.paid(withdrawal_id)) == 1 and tenant.balance() == (9000, 9000)
    tenant.gateway.assert_ledger_matches_providers()


def test_a_payout_that_was_never_sent_is_not_declared_paid(tenant: WithdrawingTenant) -> None:
    """Breaks when the tenant is debited for what no destination has."""
    withdrawal_id = tenant.requested(1000)
    with tenant.no_slots("mpesa"):
        tenant.approve(withdrawal_id)
    assert _state(tenant, withdrawal_id) == "created"
    assert "never sent" in refused(tenant.gateway, "withdrawals", "resolve", withdrawal_id, "--paid")
    assert tenant.settle(withdrawal_id)["status"] == "completed"
    assert len(tenant.paid(withdrawal_id)) == 1
    tenant.gateway.assert_ledger_matches_providers()

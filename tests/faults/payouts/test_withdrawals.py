"""The withdrawal workflow of document 002, by each way of paying out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.withdrawals import DETAILS, FEES, WithdrawingTenant


@pytest.mark.parametrize("method", DETAILS)
def test_a_withdrawal_is_paid_out_once(tenant: WithdrawingTenant, method: str) -> None:
    fee = FEES[method]
    initiated = tenant.initiate(1000, method)
    assert initiated.status_code == 201, initiated.text
    found = initiated.json()
    withdrawal_id = found["transaction_id"]
    assert (found["amount"], found["fee"], found["net_amount"]) == (1000, fee, 1000 - fee)
    assert tenant.balance() == (10_000, 9000)
    approved = tenant.approve(withdrawal_id)
    assert approved.status_code == 200, approved.text
    assert approved.json()["success"] and approved.json()["provider_response"]["provider"]
    after = tenant.settle(withdrawal_id)
    assert after["status"] == "completed" and tenant.balance() == (9000, 9000)
    assert tenant.paid(withdrawal_id) == [Decimal(1000 - fee)]
    tenant.gateway.assert_ledger_matches_providers()

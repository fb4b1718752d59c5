"""Requests, approvals and cancellations at the same moment: one outcome, at most one payout, never more than there is.

Seen failing when the withdrawal's version is not compared in withdrawal_write, when nothing is held at the request, and when
an Idempotency-Key's scope has the path in it, or two approvals with one key have one resource id (both would send).
"""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal

import pytest

from app.models.member import Role
from tests.support.simultaneous_requests import new_key
from tests.support.tenants import make_member
from tests.support.withdrawals import DETAILS, FEES, WithdrawingTenant

APPROVALS = 100
ROUNDS = 5


def _approve(withdrawal_id: str, prefix: str = "/api/v1") -> str:
    return f"{prefix}/wallet/withdrawals/{withdrawal_id}/approve"


def test_a_hundred_approvals_pay_once(tenant: WithdrawingTenant) -> None:
    managers = [
        tenant.manager,
        tenant.owner,
        make_member(tenant.gateway.app, tenant.merchant, Role.FINANCE_ADMIN),
    ]
    withdrawal_id = tenant.requested(1000)
    answers = tenant.at_once(
        [(managers[n % len(managers)], _approve(withdrawal_id), {}, None) for n in range(APPROVALS)]
    )
    statuses = Counter(answer.status for answer in answers)
    assert statuses[200] == 1 and set(statuses) <= {200, 400, 409}, statuses
    assert tenant.settle(withdrawal_id)["status"] == "completed"
    assert tenant.paid(withdrawal_id) == [Decimal(967)] and tenant.balance() == (9000, 9000)
    assert len(tenant.get(withdrawal_id)["approvals"]) == 1
    tenant.gateway.assert_ledger_matches_providers()


def test_many_that_wait_for_results_leave_threads_for_others(tenant: WithdrawingTenant) -> None:
    """An approval waits for its payout's result only while few others do."""
    tenant.gateway.app.config["WITHDRAWAL_WAIT_S"] = 30.0
    try:
        with tenant.no_slots("withdrawals.waiting"):
            began = time.monotonic()
            answer = tenant.approve(tenant.requested(1000))
            took_s = time.monotonic() - began
    finally:
        tenant.gateway.app.config["WITHDRAWAL_WAIT_S"] = 0
    assert answer.json()["status"] == "processing" and took_s < 15


def test_approve_against_cancel_has_one_outcome(tenant: WithdrawingTenant) -> None:
    for _ in range(ROUNDS):
        withdrawal_id = tenant.requested(100)
        approve = (tenant.manager, _approve(withdrawal_id), {}, None)
        cancel = (tenant.finance, _approve(withdrawal_id).replace("approve", "cancel"), {}, None)
        answers = tenant.at_once([approve, cancel])
        assert sorted(answer.status for answer in answers) == [200, 400]
        after = tenant.settle(withdrawal_id)
        is_paid = answers[0].status == 200
        assert after["status"] == ("completed" if is_paid else "canceled")
        assert tenant.paid(withdrawal_id) == ([Decimal(67)] if is_paid else [])
    tenant.gateway.assert_ledger_matches_providers()


def test_two_requests_for_more_than_the_balance(tenant: WithdrawingTenant) -> None:
    path = "/api/v1/wallet/withdrawals"
    body = {"amount": 6000, "method_type": "mpesa", "method_details": DETAILS["mpesa"]}
    answers = tenant.at_once([(tenant.finance, path, body, None)] * 8)
    assert Counter(answer.status for answer in answers) == {201: 1, 400: 7}
    refused = next(answer.body for answer in answers if answer.status == 400)
    assert refused["error"] == "Insufficient balance"
    assert refused["details"] == {"available": 4000.0, "required": 6000.0, "currency": "KES"}
    assert tenant.balance() == (10_000, 4000)


def test_one_key_through_both_prefixes_is_one_withdrawal(tenant: WithdrawingTenant) -> None:
    body = {"amount": 500, "method_type": "till", "method_details": DETAILS["till"]}
    key = new_key()
    paths = ["/api/v1/wallet/withdrawals", "/v1/wallet/withdrawals"] * 5
    answers = tenant.at_once([(tenant.finance, path, body, key) for path in paths])
    created = {answer.body["transaction_id"] for answer in answers if answer.status == 201}
    assert len(created) == 1 and {answer.status for answer in answers} <= {201, 409}
    assert tenant.balance() == (10_000, 9500)
    again = tenant.initiate(500, "till", key=key)
    assert again.json()["transaction_id"] in created and again.headers["Idempotent-Replayed"] == "true"
    other = tenant.initiate(501, "till", key=key)
    assert other.status_code == 422


@pytest.mark.parametrize("method", ["mpesa", "till"])
def test_one_key_approves_once_through_both_prefixes(tenant: WithdrawingTenant, method: str) -> None:
    """A till's payout has no reference by which the provider would know that it is sent twice."""
    withdrawal_id, key = tenant.requested(1000, method), new_key()
    prefixes = ["/api/v1", "/v1"] * 5
    answers = tenant.at_once([(tenant.manager, _approve(withdrawal_id, one), {}, key) for one in prefixes])
    assert {answer.status for answer in answers} <= {200, 409}, [answer.body for answer in answers]
    tenant.settle(withdrawal_id)
    again = tenant.approve(withdrawal_id, key=key)
    assert again.status_code == 200 and again.headers["Idempotent-Replayed"] == "true"
    assert tenant.paid(withdrawal_id) == [Decimal(1000 - FEES[method])]
    tenant.gateway.assert_ledger_matches_providers()

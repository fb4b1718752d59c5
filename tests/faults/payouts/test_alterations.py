"""Nothing is paid but what was requested and approved, whoever can write the database.

Seen failing when the digests are not compared, at the approval or before a job sends, when an approval's is not of its user, and
when a job does not count the approvals.
"""

from __future__ import annotations

import json
import uuid

import pytest

from app.models.withdrawal import ApprovalBand
from app.unit_of_work import transaction
from tests.support.withdrawals import WithdrawingTenant

ALTERATIONS = {
    "amount": "UPDATE withdrawals SET amount = amount + 100000 WHERE id = %s",
    "fee": "UPDATE withdrawals SET fee = 0 WHERE id = %s",
    "destination": "UPDATE withdrawals SET destination = %s::jsonb WHERE id = %s",
    "initiator": "UPDATE withdrawals SET initiated_by = gen_random_uuid() WHERE id = %s",
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_what_was_altered_is_not_approved(tenant: WithdrawingTenant, what: str) -> None:
    withdrawal_id = tenant.requested(1000)
    details = [json.dumps({"phone_number": "254799999999"})] if what == "destination" else []
    tenant.write(ALTERATIONS[what], *details, withdrawal_id)
    answer = tenant.approve(withdrawal_id)
    assert answer.status_code == 409 and "not what was requested" in answer.json()["error"]
    _assert_alarm(tenant, withdrawal_id)
    tenant.write("UPDATE withdrawals SET amount = 100000, fee = 3300 WHERE id = %s", withdrawal_id)
    assert tenant.cancel(withdrawal_id).status_code == 200
    assert tenant.balance() == (10_000, 10_000)


@pytest.mark.parametrize("what", ["amount", "destination", "payout"])
def test_what_was_altered_after_the_approval_is_not_paid(tenant: WithdrawingTenant, what: str) -> None:
    """The provider has no slot at the approval, so the payout's job sends it: by what is stored then."""
    withdrawal_id = tenant.requested(1000)
    with tenant.no_slots("mpesa"):
        assert tenant.approve(withdrawal_id).json()["status"] == "processing"
    details = [json.dumps({"phone_number": "254799999999"})] if what == "destination" else []
    statement = ALTERATIONS.get(what, "UPDATE payouts SET amount = amount + 5000 WHERE withdrawal_id = %s")
    tenant.write(statement, *details, withdrawal_id)
    tenant.gateway.run_due()
    after = tenant.get(withdrawal_id)
    assert after["status"] == "failed" and tenant.paid(withdrawal_id) == []
    _assert_alarm(tenant, withdrawal_id)
    assert tenant.balance() == (10_000, 10_000)
    # What was altered would disagree with the hold for ever.
    tenant.write("UPDATE withdrawals SET amount = 100000 WHERE id = %s", withdrawal_id)


def _assert_alarm(tenant: WithdrawingTenant, withdrawal_id: str) -> None:
    reviews = tenant.gateway.rows(
        "SELECT reason FROM withdrawal_reviews WHERE withdrawal_id = :id AND closed_at IS NULL",
        id=withdrawal_id,
    )
    assert [row.reason for row in reviews] == ["altered"]
    events = tenant.gateway.rows(
        "SELECT data ->> 'reason' AS reason FROM outbox WHERE object_id = :id AND type = 'withdrawal.review'",
        id=withdrawal_id,
    )
    assert [row.reason for row in events] == ["altered"]


def test_a_copied_approval_is_nobodys(tenant: WithdrawingTenant) -> None:
    band = ApprovalBand(tenant_id=tenant.merchant.tenant_id, currency="KES", from_minor=500_000, approvals=2)
    with tenant.gateway.app.app_context():
        transaction(lambda session: session.add(band))
    withdrawal_id = tenant.requested(5000)
    assert tenant.approve(withdrawal_id).json()["status"] == "pending"
    tenant.write(
        "INSERT INTO withdrawal_approvals (id, withdrawal_id, user_id, digest, created_at)"
        " SELECT gen_random_uuid(), withdrawal_id, %s, digest, now() FROM withdrawal_approvals"
        " WHERE withdrawal_id = %s",
        str(tenant.owner.user.user_id),
        withdrawal_id,
    )
    assert tenant.approve(withdrawal_id).status_code == 409
    assert tenant.payout(withdrawal_id) is None
    _assert_alarm(tenant, withdrawal_id)


FORGED_PAYOUT = """
INSERT INTO payouts (id, withdrawal_id, tenant_id, provider, environment, amount, currency, method, reference, callback_token,
  state, inquiries, created_at, updated_at)
SELECT %s::uuid, w.id, tenant_id, 'mpesa', 'sandbox', amount - fee, currency, method, %s, %s, 'created', 0, now(), now()
FROM withdrawals w WHERE w.id = %s
"""
FORGED_JOB = """
INSERT INTO jobs (id, kind, ref, run_at, attempts, fence, state, created_at)
VALUES (gen_random_uuid(), 'payout.follow_up', %s, now() - interval '1 second', 0, 0, 'due', now())
"""


def test_a_payout_without_an_approval_is_not_sent(tenant: WithdrawingTenant) -> None:
    withdrawal_id, payout_id = tenant.requested(1000), str(uuid.uuid4())
    tenant.write("UPDATE withdrawals SET status = 'processing' WHERE id = %s", withdrawal_id)
    tenant.write(FORGED_PAYOUT, payout_id, f"out-{uuid.UUID(payout_id).hex}", payout_id, withdrawal_id)
    tenant.write(FORGED_JOB, payout_id)
    tenant.gateway.run_due()
    assert tenant.get(withdrawal_id)["status"] == "failed" and tenant.paid(withdrawal_id) == []
    _assert_alarm(tenant, withdrawal_id)
    assert tenant.balance() == (10_000, 10_000)

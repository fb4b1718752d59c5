"""Nobody approves what they requested, by whatever account; and nothing is paid but what was requested and approved.

Seen failing when the people are not compared, when only their user ids are, and when the digests are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from app.models.member import Role
from app.models.withdrawal import ApprovalBand
from app.services.provider_access import bulkhead
from app.unit_of_work import transaction
from tests.support.database import connection, run
from tests.support.tenants import MemberClient, make_member, tenant_headers
from tests.support.withdrawals import WithdrawingTenant

FOUR_EYES = {"error": "Approver must be different from initiator (four-eyes approval)"}


def _set_role(tenant: WithdrawingTenant, member: MemberClient, role: Role) -> None:
    _write(tenant, "UPDATE members SET role = %s WHERE user_id = %s", role.value, str(member.user.user_id))


def _write(tenant: WithdrawingTenant, statement: str, *values: object) -> None:
    """As somebody who can write the database."""
    url = tenant.gateway.app.config["OWNER_DATABASE_URI"].replace("postgresql+psycopg2", "postgresql")
    with connection({"DATABASE_OWNER_URL": url, "DATABASE_URL": url}, as_owner=True) as opened:
        run(opened, statement, *values)


def test_the_initiator_does_not_approve(tenant: WithdrawingTenant) -> None:
    body = {"amount": 1000, "method_type": "mpesa", "method_details": {"phone_number": "254712345678"}}
    answer = tenant.call("POST", "/wallet/withdrawals", tenant.owner, body)
    withdrawal_id = answer.json()["transaction_id"]
    for prefix in ("/api/v1", "/v1"):
        refused = tenant.call(
            "POST", f"/wallet/withdrawals/{withdrawal_id}/approve", tenant.owner, prefix=prefix
        )
        assert (refused.status_code, refused.json()) == (400, FOUR_EYES)
    assert tenant.balance() == (10_000, 9000) and tenant.payout(withdrawal_id) is None


def test_neither_after_a_change_of_role(tenant: WithdrawingTenant) -> None:
    withdrawal_id = tenant.requested(1000)
    _set_role(tenant, tenant.finance, Role.FINANCE_ADMIN)
    assert tenant.approve(withdrawal_id, tenant.finance).json() == FOUR_EYES
    assert tenant.approve(withdrawal_id).status_code == 200


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mary@example.com", "mary+approver@example.com"),
        ("m.ary@gmail.com", "mary+2@googlemail.com"),
    ],
)
def test_neither_by_another_account_of_the_same_mailbox(
    tenant: WithdrawingTenant, one: str, other: str
) -> None:
    app = tenant.gateway.app
    first = make_member(app, tenant.merchant, Role.OWNER, email=one)
    second = make_member(app, tenant.merchant, Role.FINANCE_ADMIN, email=other)
    tenant.finance = first
    withdrawal_id = tenant.requested(100)
    assert tenant.approve(withdrawal_id, second).json() == FOUR_EYES
    _write(
        tenant,
        "DELETE FROM members WHERE user_id IN (%s, %s)",
        str(first.user.user_id),
        str(second.user.user_id),
    )
    _write(tenant, "UPDATE users SET email = id::text || '@example.org' WHERE email IN (%s, %s)", one, other)


def test_the_api_key_alone_neither_initiates_nor_approves_nor_cancels(tenant: WithdrawingTenant) -> None:
    withdrawal_id = tenant.requested(1000)
    url, headers = tenant.gateway.url, tenant_headers(tenant.merchant)
    scopes = {
        "/wallet/withdrawals": "finance:withdraw:initiate",
        f"/wallet/withdrawals/{withdrawal_id}/approve": "finance:withdraw:approve",
        f"/wallet/withdrawals/{withdrawal_id}/cancel": "finance:withdraw:initiate OR finance:withdraw:approve",
    }
    for path, scope in scopes.items():
        answer = tenant.gateway.http.post(url + path, json={}, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()) == (403, {"detail": f"Missing required scope: {scope}"})


@pytest.fixture
def two_approvals(tenant: WithdrawingTenant) -> Iterator[WithdrawingTenant]:
    """Of 5,000 shillings and more."""
    band = ApprovalBand(tenant_id=tenant.merchant.tenant_id, currency="KES", from_minor=500_000, approvals=2)
    with tenant.gateway.app.app_context():
        transaction(lambda session: session.add(band))
    yield tenant


def test_a_large_withdrawal_needs_two_people(two_approvals: WithdrawingTenant) -> None:
    tenant = two_approvals
    small, large = tenant.requested(1000), tenant.requested(5000)
    assert tenant.approve(small).json()["status"] == "processing"
    first = tenant.approve(large).json()
    assert (first["status"], first["approvals"], first["required_approvals"]) == ("pending", 1, 2)
    assert first["provider_response"] is None and tenant.payout(large) is None
    again = tenant.approve(large)
    assert again.status_code == 400 and "another person" in again.json()["error"]
    second_account = make_member(
        tenant.gateway.app,
        tenant.merchant,
        Role.FINANCE_ADMIN,
        email=tenant.manager.user.email.replace("@", "+2@"),
    )
    assert tenant.approve(large, second_account).status_code == 400, "one person does not count twice"
    assert tenant.approve(large, tenant.owner).status_code == 200
    assert tenant.settle(large)["status"] == "completed"
    assert tenant.paid(large) == [Decimal(4967)]
    approved = tenant.gateway.rows(
        "SELECT actor FROM outbox WHERE object_id = :id AND type = 'withdrawal.approved' ORDER BY id",
        id=large,
    )
    assert [row.actor for row in approved] == [tenant.manager.user.public_id, tenant.owner.user.public_id]


def test_a_new_destination_needs_a_second_person_before_its_first_use(tenant: WithdrawingTenant) -> None:
    tenant.gateway.app.config["PAYOUT_DESTINATION_COOLING_S"] = 86_400
    try:
        withdrawal_id = tenant.requested(100, "till")
        assert tenant.approve(withdrawal_id).json()["status"] == "pending"
        assert tenant.approve(withdrawal_id, tenant.owner).json()["status"] == "processing"
        assert tenant.settle(withdrawal_id)["status"] == "completed"
        used = tenant.requested(100, "till")
        assert tenant.approve(used).json()["status"] == "processing", "it was confirmed"
        waiting = tenant.requested(100)
        assert tenant.approve(waiting).json()["status"] == "pending"
        _write(tenant, "UPDATE payout_destinations SET added_at = added_at - interval '1 day'")
        assert tenant.approve(waiting).json()["status"] == "processing", "it is a day old"
    finally:
        tenant.gateway.app.config["PAYOUT_DESTINATION_COOLING_S"] = 0


def test_whoever_added_a_destination_does_not_confirm_it(tenant: WithdrawingTenant) -> None:
    body = {"method_type": "mpesa", "method_details": {"phone_number": "0722000111"}}
    chosen = tenant.call("PUT", "/wallet/payout-method", tenant.owner, body)
    assert chosen.status_code == 200 and chosen.json()["details"] == {"phone_number": "2547******11"}
    path = f"/wallet/destinations/{chosen.json()['id']}/confirm"
    assert tenant.call("POST", path, tenant.owner).status_code == 400
    assert tenant.call("POST", path, tenant.finance).status_code == 403
    confirmed = tenant.call("POST", path, tenant.manager)
    assert confirmed.status_code == 200 and confirmed.json()["confirmed_by"] == tenant.manager.user.public_id
    options = tenant.call("GET", "/wallet/withdrawal-options", tenant.finance).json()
    assert options["configured_method"] == {
        "method_type": "mpesa",
        "details": {"phone_number": "254722000111"},
    }


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
    _write(tenant, ALTERATIONS[what], *details, withdrawal_id)
    answer = tenant.approve(withdrawal_id)
    assert answer.status_code == 409 and "not what was requested" in answer.json()["error"]
    _assert_alarm(tenant, withdrawal_id)
    _write(tenant, "UPDATE withdrawals SET amount = 100000, fee = 3300 WHERE id = %s", withdrawal_id)
    assert tenant.cancel(withdrawal_id).status_code == 200
    assert tenant.balance() == (10_000, 10_000)


@pytest.mark.parametrize("what", ["amount", "destination", "payout"])
def test_what_was_altered_after_the_approval_is_not_paid(tenant: WithdrawingTenant, what: str) -> None:
    """The provider has no slot at the approval, so the payout's job sends it: by what is stored then."""
    withdrawal_id = tenant.requested(1000)
    with _no_slots(tenant):
        assert tenant.approve(withdrawal_id).json()["status"] == "processing"
    details = [json.dumps({"phone_number": "254799999999"})] if what == "destination" else []
    statement = ALTERATIONS.get(what, "UPDATE payouts SET amount = amount + 5000 WHERE withdrawal_id = %s")
    _write(tenant, statement, *details, withdrawal_id)
    tenant.gateway.run_due()
    after = tenant.get(withdrawal_id)
    assert after["status"] == "failed" and tenant.paid(withdrawal_id) == []
    _assert_alarm(tenant, withdrawal_id)
    assert tenant.balance() == (10_000, 10_000)
    # What was altered would disagree with the hold for ever.
    _write(tenant, "UPDATE withdrawals SET amount = 100000 WHERE id = %s", withdrawal_id)


@contextmanager
def _no_slots(tenant: WithdrawingTenant) -> Iterator[None]:
    with tenant.gateway.app.app_context():
        bound = bulkhead.bulkheads()
        taken = 0
        while bound.try_acquire("mpesa"):
            taken += 1
        try:
            yield
        finally:
            for _ in range(taken):
                bound.release("mpesa")


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

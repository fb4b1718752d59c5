"""Nobody approves what they requested, by whatever account; and as many people agree as must.

Seen failing when the people are not compared, when only their user ids are, when whoever has confirmed a destination counts
twice, and when the approvals of people who may not approve any more count.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from app.models.member import Role
from app.models.withdrawal import ApprovalBand
from app.unit_of_work import transaction
from tests.support.tenants import MemberClient, make_member, tenant_headers
from tests.support.withdrawals import WithdrawingTenant

FOUR_EYES = {"error": "Approver must be different from initiator (four-eyes approval)"}


def _set_role(tenant: WithdrawingTenant, member: MemberClient, role: Role) -> None:
    tenant.write("UPDATE members SET role = %s WHERE user_id = %s", role.value, str(member.user.user_id))


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
    tenant.write(
        "DELETE FROM members WHERE user_id IN (%s, %s)",
        str(first.user.user_id),
        str(second.user.user_id),
    )
    tenant.write("UPDATE users SET email = id::text || '@example.org' WHERE email IN (%s, %s)", one, other)


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


@pytest.fixture
def cooling(tenant: WithdrawingTenant) -> Iterator[WithdrawingTenant]:
    """Destinations are young for a day."""
    tenant.gateway.app.config["PAYOUT_DESTINATION_COOLING_S"] = 86_400
    yield tenant
    tenant.gateway.app.config["PAYOUT_DESTINATION_COOLING_S"] = 0


def test_a_new_destination_needs_a_third_person_before_its_first_use(cooling: WithdrawingTenant) -> None:
    tenant = cooling
    asked = tenant.initiate(100, "till").json()
    withdrawal_id = asked["transaction_id"]
    assert asked["required_approvals"] == tenant.get(withdrawal_id)["required_approvals"] == 2
    assert tenant.approve(withdrawal_id).json()["status"] == "pending"
    assert tenant.approve(withdrawal_id, tenant.owner).json()["status"] == "processing"
    assert tenant.settle(withdrawal_id)["status"] == "completed"
    for approver in (tenant.manager, tenant.owner):
        used = tenant.requested(100, "till")
        assert tenant.approve(used, approver).json()["status"] == "processing", "it was used before"
    waiting = tenant.requested(100)
    assert tenant.approve(waiting).json()["status"] == "pending"
    tenant.write("UPDATE payout_destinations SET added_at = added_at - interval '1 day'")
    assert tenant.approve(waiting).json()["status"] == "processing", "it is a day old"


def _confirm(tenant: WithdrawingTenant, withdrawal_id: str, member: MemberClient) -> None:
    destination_id = tenant.get(withdrawal_id)["destination_id"]
    assert tenant.call("POST", f"/wallet/destinations/{destination_id}/confirm", member).status_code == 200


def test_one_person_does_not_confirm_and_approve(cooling: WithdrawingTenant) -> None:
    tenant = cooling
    withdrawal_id = tenant.requested(100)
    _confirm(tenant, withdrawal_id, tenant.manager)
    approved = tenant.approve(withdrawal_id).json()
    assert (approved["status"], approved["approvals"], approved["required_approvals"]) == ("pending", 1, 2)
    assert tenant.approve(withdrawal_id, tenant.owner).json()["status"] == "processing"
    other = tenant.requested(100, "till")
    _confirm(tenant, other, tenant.owner)
    assert tenant.approve(other).json()["status"] == "processing"


def test_whoever_adds_a_destination_is_not_who_agrees_to_it(cooling: WithdrawingTenant) -> None:
    """The owner adds, finance requests: that is two; the owner's approval adds no third person."""
    tenant = cooling
    body = {"method_type": "mpesa", "method_details": {"phone_number": "254712345678"}}
    assert tenant.call("PUT", "/wallet/payout-method", tenant.owner, body).status_code == 200
    withdrawal_id = tenant.requested(100)
    assert tenant.approve(withdrawal_id, tenant.owner).json()["status"] == "pending"
    assert tenant.approve(withdrawal_id).json()["status"] == "processing"


REMOVALS = {
    "suspended": "UPDATE members SET suspended_at = now() WHERE user_id = %s",
    "removed": "DELETE FROM members WHERE user_id = %s",
    "another role": "UPDATE members SET role = 'analyst' WHERE user_id = %s",
    "switched off": "UPDATE users SET is_active = false WHERE id = %s",
}


@pytest.mark.parametrize("how", REMOVALS)
def test_approvals_of_people_who_may_not_approve_any_more(two_approvals: WithdrawingTenant, how: str) -> None:
    tenant = two_approvals
    withdrawal_id = tenant.requested(5000)
    assert tenant.approve(withdrawal_id).json()["approvals"] == 1
    tenant.write(REMOVALS[how], str(tenant.manager.user.user_id))
    again = tenant.approve(withdrawal_id, tenant.owner).json()
    assert (again["status"], again["approvals"], again["required_approvals"]) == ("pending", 1, 2)
    third = make_member(tenant.gateway.app, tenant.merchant, Role.FINANCE_ADMIN)
    assert tenant.approve(withdrawal_id, third).json()["status"] == "processing"


@pytest.mark.parametrize("how", ["suspended", "removed", "switched off"])
def test_requests_of_people_who_cannot_act_any_more(tenant: WithdrawingTenant, how: str) -> None:
    withdrawal_id = tenant.requested(1000)
    tenant.write(REMOVALS[how], str(tenant.finance.user.user_id))
    refused = tenant.approve(withdrawal_id)
    assert refused.status_code == 400 and "cannot act for you any more" in refused.json()["error"]
    assert tenant.cancel(withdrawal_id, tenant.manager).status_code == 200
    assert tenant.balance() == (10_000, 10_000)


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

"""Who has agreed to a withdrawal, and how many people still must."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flask import current_app
from sqlalchemy import select

from app import clock
from app.models.member import Member, TenantScope
from app.models.user import User
from app.models.withdrawal import PayoutDestination, Withdrawal, WithdrawalApproval
from app.services.tenants.roles import ROLES
from app.services.withdrawals.rows import WithdrawalRows
from app.unit_of_work import reading

_IGNORES_DOTS: Final = frozenset({"gmail.com", "googlemail.com"})

PEOPLE_FOR_YOUNG: Final = 3
"""How many different people must have had to do with a young destination: who added it, requested the withdrawal, confirmed or
approved it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """approvals: those of people who may approve now. required: how many are needed, as things stand."""

    rows: WithdrawalRows
    approvals: Sequence[WithdrawalApproval]
    required: int

    @property
    def is_complete(self) -> bool:
        return len(self.approvals) >= self.required


def agreement(rows: WithdrawalRows) -> Agreement:
    """Who has agreed to this withdrawal. The tenant's band when it was requested says how many must; for the first use of a
    young destination, as many as make PEOPLE_FOR_YOUNG different people, if those are more."""
    withdrawal, destination = rows.withdrawal, rows.destination
    may_approve = _approvers(withdrawal.tenant_id, (one.user_id for one in rows.approvals))
    approvals = [one for one in rows.approvals if one.user_id in may_approve]
    required = withdrawal.required_approvals
    if is_young(destination) and not _was_used(destination):
        users = {withdrawal.initiated_by, destination.added_by, destination.confirmed_by, *may_approve}
        missing = PEOPLE_FOR_YOUNG - len(set(_mailboxes(users)))
        required = max(required, len(approvals) + missing) if missing > 0 else required
    return Agreement(rows, approvals, required)


def is_young(destination: PayoutDestination) -> bool:
    """Whether it was added so lately that more people must agree to its first use; one that an operator chose never is."""
    is_operators = destination.confirmed_at is not None and destination.confirmed_by is None
    cooling = timedelta(seconds=current_app.config["PAYOUT_DESTINATION_COOLING_S"])
    return not is_operators and clock.now() < destination.added_at + cooling


def _was_used(destination: PayoutDestination) -> bool:
    """Whether enough people agreed to a withdrawal to it before."""
    wanted = select(Withdrawal.id).where(
        Withdrawal.tenant_id == destination.tenant_id,
        Withdrawal.destination_id == destination.id,
        Withdrawal.approved_at.is_not(None),
    )
    with reading() as session:
        return session.scalars(wanted.limit(1)).first() is not None


def is_active_member(tenant_id: uuid.UUID, user_id: uuid.UUID) -> bool:
    return user_id in _active_members(tenant_id, [user_id])


def is_same_person(one: uuid.UUID, other: uuid.UUID) -> bool:
    """The same user, or users whose addresses are one mailbox: `mary+2@example.com` is delivered to `mary@example.com`."""
    mailboxes = _mailboxes([one, other])
    return one == other or len(set(mailboxes)) < len(mailboxes)


def mailbox(email: str) -> str:
    """The mailbox that an address is delivered to: without a tag, and at Google without dots."""
    local, _, domain = unicodedata.normalize("NFKC", email).lower().rpartition("@")
    local = local.partition("+")[0]
    if domain in _IGNORES_DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def _mailboxes(user_ids: Iterable[uuid.UUID | None]) -> list[str]:
    """One of each user. None: empty."""
    with reading() as session:
        return [mailbox(email) for email in session.scalars(select(User.email).where(User.id.in_(user_ids)))]


def _approvers(tenant_id: uuid.UUID, user_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the users who may approve the tenant's withdrawals now."""
    members = _active_members(tenant_id, user_ids)
    return {id for id, scopes in members.items() if TenantScope.FINANCE_WITHDRAW_APPROVE in scopes}


def _active_members(
    tenant_id: uuid.UUID, user_ids: Iterable[uuid.UUID]
) -> Mapping[uuid.UUID, frozenset[TenantScope]]:
    """Those of the users who can act for the tenant now, each with what they may do."""
    wanted = (
        select(Member.user_id, Member.role)
        .join(User, User.id == Member.user_id)
        .where(
            Member.tenant_id == tenant_id,
            Member.user_id.in_(user_ids),
            Member.suspended_at.is_(None),
            User.is_active,
        )
    )
    with reading() as session:
        return {user_id: ROLES[role] for user_id, role in session.execute(wanted)}

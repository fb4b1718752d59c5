"""A withdrawal with all that belongs to it, read as of one moment (write_sets/rows.py)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeAlias

from app.extensions import Base
from app.models.withdrawal import (
    Payout,
    PayoutDestination,
    Withdrawal,
    WithdrawalApproval,
    WithdrawalReview,
)
from app.services.withdrawals.errors import WithdrawalNotFound
from app.services.write_sets.rows import Aggregate, row_of
from app.services.write_sets.write_set import WriteSet
from app.unit_of_work import call

_MUTABLE: Final[Mapping[type[Base], tuple[str, ...]]] = {
    Withdrawal: (
        "status", "approved_by", "canceled_by", "cancel_reason", "failure_code", "failure_reason", "updated_at",
        "approved_at", "completed_at", "last_write",
    ),
    WithdrawalApproval: (),
    Payout: (
        "state", "provider_reference", "receipt", "provider_response", "error_code", "error_message", "inquiries",
        "sent_at", "updated_at", "completed_at",
    ),
    WithdrawalReview: ("closed_at", "closed_by"),
    PayoutDestination: ("confirmed_by", "confirmed_at"),
}  # fmt: skip
"""The columns that write_sets/sql/withdrawal_write.sql updates."""


@dataclass(slots=True)
class WithdrawalRows(Aggregate):
    """destination: where it goes. approvals: oldest first. reviews: the open ones, and those closed in this write set."""

    part_of_root: ClassVar[str] = "withdrawal"
    mutable: ClassVar[Mapping[type[Base], tuple[str, ...]]] = _MUTABLE

    withdrawal: Withdrawal
    destination: PayoutDestination
    approvals: list[WithdrawalApproval] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    reviews: list[WithdrawalReview] = field(default_factory=list)

    @property
    def root(self) -> Withdrawal:
        return self.withdrawal

    def members(self) -> Mapping[str, Sequence[Any]]:
        return {
            "approvals": self.approvals,
            "payouts": self.payouts,
            "withdrawal_reviews": self.reviews,
            "destinations": [self.destination],
        }

    def read_again(self) -> WithdrawalRows:
        return read(self.withdrawal.id)

    @property
    def payout(self) -> Payout | None:
        """Its payout, once it is approved: there is at most one."""
        return next(iter(self.payouts), None)

    def payout_with(self, payout_id: uuid.UUID) -> Payout:
        return next(payout for payout in self.payouts if payout.id == payout_id)


WithdrawalWrites: TypeAlias = WriteSet[WithdrawalRows]
"""What is to be written about one withdrawal."""


def read(withdrawal_id: uuid.UUID | None = None, *, payout_id: uuid.UUID | None = None) -> WithdrawalRows:
    """The rows of a withdrawal, found by its id or its payout's. Raises WithdrawalNotFound."""
    given = [None if one is None else str(one) for one in (withdrawal_id, payout_id)]
    (found,) = call("withdrawal_rows(%s::uuid, %s::uuid)", *given)
    if found is None:
        raise WithdrawalNotFound
    return of_json(found)


def of_json(data: dict[str, Any]) -> WithdrawalRows:
    """The rows in the answer of the function withdrawal_rows."""
    reviews = [row_of(WithdrawalReview, one) for one in data["reviews"] or ()]
    rows = WithdrawalRows(
        row_of(Withdrawal, data["withdrawal"]["row"]),
        row_of(PayoutDestination, data["destination"]["row"]),
        [row_of(WithdrawalApproval, one["row"]) for one in data["approvals"] or ()],
        [row_of(Payout, one["row"]) for one in data["payouts"] or ()],
        reviews,
    )
    stored = [data["withdrawal"], data["destination"], *(data["approvals"] or ()), *(data["payouts"] or ())]
    versions = {uuid.UUID(one["row"]["id"]): one["version"] for one in stored}
    rows.remember(versions | dict.fromkeys((review.id for review in reviews), ""))
    return rows

"""A payment with all that belongs to it, read as of one moment (write_sets/rows.py)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeAlias

from app.errors import TransactionNotFound
from app.extensions import Base
from app.models.dispute import Dispute, DisputeState
from app.models.payment import AttemptState, Payment, PaymentAttempt, Refund
from app.models.payment_review import PaymentReview
from app.services.write_sets.rows import Aggregate, row_of
from app.services.write_sets.write_set import WriteSet
from app.unit_of_work import call

_MUTABLE: Final[Mapping[type[Base], tuple[str, ...]]] = {
    Payment: (
        "provider", "amount", "currency", "status", "provider_transaction_id", "provider_response", "payment_url",
        "failure_code", "failure_reason", "provider_failure", "fee", "refund_reserved", "refunded", "updated_at",
        "completed_at", "last_write",
    ),
    PaymentAttempt: (
        "state", "provider_reference", "receipt", "collected", "collected_currency", "error_code", "error_message",
        "inquiries", "sendings", "sent_at", "updated_at",
    ),
    Refund: (
        "state", "provider_reference", "error_code", "error_message", "failure_code", "failure_reason", "provider_failure",
        "inquiries", "sent_at", "updated_at", "completed_at",
    ),
    Dispute: ("amount", "reason", "provider_status", "state", "held", "owed", "updated_at", "closed_at"),
    PaymentReview: ("closed_at", "closed_by"),
}  # fmt: skip
"""The columns that write_sets/sql/write_set_apply.sql updates."""


@dataclass(slots=True)
class PaymentRows(Aggregate):
    """attempts: by number. refunds, disputes: oldest first. entries: those that were posted for the attempts."""

    part_of_root: ClassVar[str] = "payment"
    mutable: ClassVar[Mapping[type[Base], tuple[str, ...]]] = _MUTABLE

    payment: Payment
    attempts: list[PaymentAttempt]
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    @property
    def root(self) -> Payment:
        return self.payment

    def members(self) -> Mapping[str, Sequence[Any]]:
        return {
            "attempts": self.attempts,
            "refunds": self.refunds,
            "disputes": self.disputes,
            "reviews": self.payment.reviews,
        }

    def read_again(self) -> PaymentRows:
        return read(self.payment.id)

    def attempt(self, attempt_id: uuid.UUID) -> PaymentAttempt:
        return next(attempt for attempt in self.attempts if attempt.id == attempt_id)

    def refund(self, refund_id: uuid.UUID) -> Refund:
        return next(refund for refund in self.refunds if refund.id == refund_id)

    def dispute(self, dispute_id: uuid.UUID) -> Dispute:
        return next(dispute for dispute in self.disputes if dispute.id == dispute_id)

    @property
    def latest_attempt(self) -> PaymentAttempt:
        return self.attempts[-1]

    @property
    def collecting_attempt(self) -> PaymentAttempt | None:
        """The attempt that collected the payment's money."""
        succeeded = (attempt for attempt in self.attempts if attempt.state == AttemptState.SUCCEEDED)
        return next(succeeded, None)

    def refunds_of(self, attempt: PaymentAttempt) -> list[Refund]:
        return [refund for refund in self.refunds if refund.attempt_id == attempt.id]

    def has_dispute(self, *states: DisputeState) -> bool:
        """Whether a dispute of the payment is in one of the states."""
        return any(dispute.state in states for dispute in self.disputes)

    def was_posted(self, attempt: PaymentAttempt, *kinds: str) -> bool:
        """Whether an entry of one of the kinds was posted for the attempt."""
        return any((attempt.id, kind) in self.entries for kind in kinds)


PaymentWrites: TypeAlias = WriteSet[PaymentRows]
"""What is to be written about one payment."""


def read(
    payment_id: uuid.UUID | None = None,
    *,
    attempt_id: uuid.UUID | None = None,
    refund_id: uuid.UUID | None = None,
) -> PaymentRows:
    """The rows of a payment, found by its id or that of an attempt or refund. Raises TransactionNotFound."""
    given = [None if one is None else str(one) for one in (payment_id, attempt_id, refund_id)]
    (found,) = call("payment_rows(%s::uuid, %s::uuid, %s::uuid)", *given)
    if found is None:
        raise TransactionNotFound
    return of_json(found)


def of_json(data: dict[str, Any]) -> PaymentRows:
    """The rows in the answer of the function payment_rows."""
    payment = row_of(Payment, data["payment"]["row"])
    rows = PaymentRows(
        payment,
        [row_of(PaymentAttempt, one["row"]) for one in data["attempts"] or ()],
        [row_of(Refund, one["row"]) for one in data["refunds"] or ()],
        [row_of(Dispute, one["row"]) for one in data["disputes"] or ()],
        entries={(uuid.UUID(ref), kind) for ref, kind in data["entries"] or ()},
    )
    payment.reviews.extend(row_of(PaymentReview, one) for one in data["reviews"] or ())
    parts = ("attempts", "refunds", "disputes")
    stored = [data["payment"], *(one for part in parts for one in data[part] or ())]
    versions = {uuid.UUID(one["row"]["id"]): one["version"] for one in stored}
    rows.remember(versions | dict.fromkeys((review.id for review in payment.reviews), ""))
    return rows

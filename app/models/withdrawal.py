"""Withdrawals of a tenant's money, who approved them, and the payouts that carry them out."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import CHAR, CheckConstraint, Index, SmallInteger, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Json, Key, Minor, Moment, Words, one_of


class WithdrawalState(StrEnum):
    """Where a withdrawal stands, as document 002 spells it. `PENDING`: it waits for approval."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class PayoutState(StrEnum):
    CREATED = "created"
    SENDING = "sending"
    UNKNOWN = "unknown"
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


class WithdrawalReviewReason(StrEnum):
    """Why an operator must look at a withdrawal, each with a sentence for the operator."""

    description: str

    def __new__(cls, value: str, description: str) -> WithdrawalReviewReason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    ALTERED = "altered", "The amount, the fee or the destination is not what was approved. Nothing was sent."
    PAYOUT_UNKNOWN = "payout_unknown", "It is not known whether the provider made the payout."
    PAYOUT_STUCK = (
        "payout_stuck",
        "The payout could not be sent for a long time, or the provider has accepted and not completed it.",
    )
    PAYOUT_AMOUNT_MISMATCH = (
        "payout_amount_mismatch",
        "The provider paid another amount than was asked for.",
    )
    PAYOUT_RETURNED = (
        "payout_returned",
        "The provider reports that a completed payout failed or was reversed, and cannot be queried about it.",
    )
    PAID_AFTER_FAILURE = (
        "paid_after_failure",
        "The provider reports a payout as made that had failed here: its amount was released.",
    )
    WRONG_ENVIRONMENT = (
        "wrong_environment",
        "The provider answered from its other environment: test money on a live account, or the reverse.",
    )


class Withdrawal(Base):
    """A tenant's request to be paid out. What is requested never changes: another amount or destination is another withdrawal.

    amount: what leaves the wallet, and is held under the withdrawal's id until it is final; fee: the platform's part; what the
    destination gets is amount - fee. destination: by method, phone_number | till_number | account_number, bank_code,
    account_name. digest: of what was requested, keyed (services/withdrawals/digests.py). required_approvals: by the tenant's amount bands when it was requested. approved_by: who gave the last
    approval. failure_code: a FailureCode. last_write: the write set that changed it or its payout last.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (
        CheckConstraint("fee >= 0 AND amount > fee"),
        CheckConstraint("required_approvals >= 1"),
        one_of("status", WithdrawalState),
        Index("withdrawals_tenant_id_id", "tenant_id", "id"),
        Index("withdrawals_tenant_id_status_id", "tenant_id", "status", "id"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    amount: Mapped[Minor]
    fee: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    method: Mapped[Words]
    destination: Mapped[Json]
    destination_id: Mapped[uuid.UUID]
    digest: Mapped[Words]
    notes: Mapped[Words | None]
    required_approvals: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[WithdrawalState] = mapped_column(EnumText(WithdrawalState))
    initiated_by: Mapped[uuid.UUID]
    approved_by: Mapped[uuid.UUID | None]
    canceled_by: Mapped[uuid.UUID | None]
    cancel_reason: Mapped[Words | None]
    failure_code: Mapped[Words | None]
    failure_reason: Mapped[Words | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    approved_at: Mapped[Moment | None]
    completed_at: Mapped[Moment | None]
    last_write: Mapped[uuid.UUID | None]

    @property
    def net(self) -> int:
        """What the destination gets, minor units."""
        return self.amount - self.fee


class WithdrawalApproval(Base):
    """One person's approval. digest: of what was approved, keyed (services/withdrawals/digests.py)."""

    __tablename__ = "withdrawal_approvals"
    __table_args__ = (UniqueConstraint("withdrawal_id", "user_id"),)

    id: Mapped[Key]
    withdrawal_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    digest: Mapped[Words]
    created_at: Mapped[Moment]


class Payout(Base):
    """The sending of a withdrawal's money, once. amount: what the destination gets. reference: our key at the provider.

    account_id: NULL, the platform's: money that a tenant collected on an account of its own is never paid out. callback_token:
    the digest of the secret end of its callback URL. error_code, error_message: what was answered last, for operators.
    """

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        one_of("state", PayoutState),
        UniqueConstraint("withdrawal_id"),
        Index("payouts_provider_reference", "provider_reference"),
    )

    id: Mapped[Key]
    withdrawal_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    provider: Mapped[Words]
    account_id: Mapped[uuid.UUID | None]
    environment: Mapped[Words]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    method: Mapped[Words]
    reference: Mapped[Words] = mapped_column(unique=True)
    callback_token: Mapped[Words] = mapped_column(unique=True)
    state: Mapped[PayoutState] = mapped_column(EnumText(PayoutState))
    provider_reference: Mapped[Words | None]
    receipt: Mapped[Words | None]
    provider_response: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    error_code: Mapped[Words | None]
    error_message: Mapped[Words | None]
    inquiries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[Moment | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    completed_at: Mapped[Moment | None]


class WithdrawalReview(Base):
    """opened_by, closed_by: the actor of the event; closed_at: NULL while it is open."""

    __tablename__ = "withdrawal_reviews"
    __table_args__ = (
        one_of("reason", WithdrawalReviewReason),
        Index(
            "withdrawal_reviews_open",
            "withdrawal_id",
            "reason",
            unique=True,
            postgresql_where="closed_at IS NULL",
        ),
    )

    id: Mapped[Key]
    withdrawal_id: Mapped[uuid.UUID]
    reason: Mapped[WithdrawalReviewReason] = mapped_column(EnumText(WithdrawalReviewReason))
    opened_at: Mapped[Moment]
    opened_by: Mapped[Words]
    closed_at: Mapped[Moment | None]
    closed_by: Mapped[Words | None]


class PayoutDestination(Base):
    """Where a tenant has asked to be paid out to. digest: SHA-256 of method and details, so that another number is another
    destination. added_by: None where the gateway's operator added it. confirmed_at: when a second person confirmed it."""

    __tablename__ = "payout_destinations"
    __table_args__ = (UniqueConstraint("tenant_id", "digest"),)

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    digest: Mapped[Words]
    method: Mapped[Words]
    details: Mapped[Json]
    added_by: Mapped[uuid.UUID | None]
    added_at: Mapped[Moment]
    confirmed_by: Mapped[uuid.UUID | None]
    confirmed_at: Mapped[Moment | None]


class ApprovalBand(Base):
    """How many people must approve a tenant's withdrawals of from_minor (of `currency`) and more. Without a band: one."""

    __tablename__ = "approval_bands"
    __table_args__ = (CheckConstraint("from_minor >= 0 AND approvals BETWEEN 1 AND 5"),)

    tenant_id: Mapped[Key]
    currency: Mapped[str] = mapped_column(CHAR(3), primary_key=True)
    from_minor: Mapped[Minor] = mapped_column(primary_key=True)
    approvals: Mapped[int] = mapped_column(SmallInteger)


class WithdrawalMinimum(Base):
    """The least that can be withdrawn by a method, minor units of `currency`. A tenant's own row comes before the platform's."""

    __tablename__ = "withdrawal_minimums"
    __table_args__ = (
        UniqueConstraint("tenant_id", "method", "currency", postgresql_nulls_not_distinct=True),
        CheckConstraint("minimum > 0"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID | None]
    method: Mapped[Words]
    currency: Mapped[str] = mapped_column(CHAR(3))
    minimum: Mapped[Minor]

"""Why an operator must look at a payment. A payment may have several open reasons; each is closed by itself."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Self

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class ReviewGroup(StrEnum):
    """What closes a review. The most pressing group first."""

    UNMATCHED_MONEY = "unmatched_money"
    """Money of the payment is in suspense: an operator decides where it goes."""

    MANUAL = "manual"
    """Nothing but an operator closes it."""

    REFUND = "refund"
    """It closes when the refund is final."""

    ANSWER = "answer"
    """It closes when the provider answers."""


class Decision(StrEnum):
    """What an operator can do about a payment under review: the commands of `flask payments`."""

    ACCEPT_UNMATCHED = "accept-unmatched"
    REFUND_UNMATCHED = "refund-unmatched"
    RESOLVE = "resolve"
    RESOLVE_REFUND = "resolve-refund"
    RECORD_REFUND = "record-refund"
    RECORD_REVERSAL = "record-reversal"
    CLOSE_REVIEW = "close-review"


_G, _D = ReviewGroup, Decision


class ReviewReason(StrEnum):
    """Each reason with its group, the decisions it allows, and a sentence for the operator."""

    group: ReviewGroup
    decisions: tuple[Decision, ...]
    description: str

    def __new__(
        cls, value: str, group: ReviewGroup, decisions: tuple[Decision, ...], description: str
    ) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.group, member.decisions, member.description = group, decisions, description
        return member

    LATE_SUCCESS = (
        "late_success", _G.UNMATCHED_MONEY, (_D.ACCEPT_UNMATCHED, _D.REFUND_UNMATCHED, _D.RECORD_REFUND),
        "The money arrived after the payment had failed or was cancelled. It is in suspense.",
    )  # fmt: skip
    AMOUNT_MISMATCH = (
        "amount_mismatch", _G.UNMATCHED_MONEY, (_D.ACCEPT_UNMATCHED, _D.REFUND_UNMATCHED, _D.RECORD_REFUND),
        "The provider collected another amount or currency than the payment's. It is in suspense.",
    )  # fmt: skip
    RETURN_IN_PROGRESS = (
        "return_in_progress", _G.UNMATCHED_MONEY, (_D.RESOLVE_REFUND,),
        "Money in suspense is being refunded to the customer.",
    )  # fmt: skip
    DISPUTE = (
        "dispute", _G.MANUAL, (_D.RECORD_REVERSAL, _D.CLOSE_REVIEW),
        "The customer's bank disputes the payment. Answer in the provider's dashboard.",
    )  # fmt: skip
    REFUNDED_AT_PROVIDER = (
        "refunded_at_provider", _G.MANUAL, (_D.RECORD_REFUND, _D.RECORD_REVERSAL, _D.CLOSE_REVIEW),
        "The provider refunded money without reporting how much, or it is not clear which refund it was.",
    )  # fmt: skip
    REFUND_RETURNED = (
        "refund_returned", _G.MANUAL, (_D.CLOSE_REVIEW,),
        "A completed refund did not reach the customer, and the payment's state does not allow posting that.",
    )  # fmt: skip
    REVERSED_AFTER_REFUND = (
        "reversed_after_refund", _G.MANUAL, (_D.RECORD_REVERSAL, _D.RECORD_REFUND, _D.CLOSE_REVIEW),
        "The provider reversed a payment that was refunded in part, or whose refund is open.",
    )  # fmt: skip
    REFERENCE_IN_USE = (
        "reference_in_use", _G.MANUAL, (_D.RESOLVE, _D.CLOSE_REVIEW),
        "The provider answered with an id or receipt that belongs to another attempt.",
    )  # fmt: skip
    REFUND_UNKNOWN = (
        "refund_unknown", _G.REFUND, (_D.RESOLVE_REFUND,),
        "It is not known whether the provider made a refund.",
    )  # fmt: skip
    REFUND_STUCK = (
        "refund_stuck", _G.REFUND, (_D.RESOLVE_REFUND,),
        "A refund could not be sent for a long time, or the provider has accepted and not completed it.",
    )  # fmt: skip
    REFUND_AMOUNT_MISMATCH = (
        "refund_amount_mismatch", _G.REFUND, (_D.RESOLVE_REFUND, _D.CLOSE_REVIEW),
        "The provider refunded another amount than was asked for.",
    )  # fmt: skip
    OUTCOME_UNKNOWN = (
        "outcome_unknown", _G.ANSWER, (_D.RESOLVE,),
        "It is not known whether the provider collected the money.",
    )  # fmt: skip
    NO_PROVIDER_ID = (
        "no_provider_id", _G.ANSWER, (_D.RESOLVE,),
        "It is not known whether the provider collected the money, and there is no provider id to query.",
    )  # fmt: skip
    INQUIRY_FAILED = (
        "inquiry_failed", _G.ANSWER, (_D.RESOLVE,),
        "The provider cannot be queried about an open payment.",
    )  # fmt: skip
    PAYMENT_STUCK = (
        "payment_stuck", _G.ANSWER, (_D.RESOLVE,),
        "The provider has had the payment for two weeks: the money is on its way, or its page cannot be closed.",
    )  # fmt: skip
    CONTRADICTING_ANSWERS = (
        "contradicting_answers", _G.ANSWER, (_D.RESOLVE, _D.CLOSE_REVIEW),
        "The provider's callback and its answer contradict each other about whether the payment was paid.",
    )  # fmt: skip
    WRONG_ENVIRONMENT = (
        "wrong_environment", _G.ANSWER, (_D.RESOLVE,),
        "The provider answered from its other environment: test money on a live account, or the reverse.",
    )  # fmt: skip


class PaymentReview(Base):
    """opened_by, closed_by: the actor of the event; closed_at: NULL while it is open."""

    __tablename__ = "payment_reviews"
    __table_args__ = (
        one_of("reason", ReviewReason),
        Index(
            "payment_reviews_open", "payment_id", "reason", unique=True, postgresql_where="closed_at IS NULL"
        ),
    )

    id: Mapped[Key]
    payment_id: Mapped[uuid.UUID]
    reason: Mapped[ReviewReason] = mapped_column(EnumText(ReviewReason))
    opened_at: Mapped[Moment]
    opened_by: Mapped[Words]
    closed_at: Mapped[Moment | None]
    closed_by: Mapped[Words | None]

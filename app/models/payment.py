"""Payments through providers, the attempts to collect them, and refunds."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import CHAR, BigInteger, CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Base
from app.models.payment_review import PaymentReview, ReviewGroup, ReviewReason
from app.models.types import EnumText, Key, Minor, Moment, Words, one_of
from app.money import Money


class PaymentStatus(StrEnum):
    """Where a payment stands, as merchants see it (docs/payments.md)."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    REVERSED = "reversed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SaveMethod(StrEnum):
    """Whether what a payment is paid with is saved for its order's customer, and how."""

    SAVE = "save"
    SAVE_AS_DEFAULT = "save_as_default"


class AttemptState(StrEnum):
    """Where an attempt stands. `LATE`: it had ended as failed or cancelled, and the money came after all (suspense)."""

    CREATED = "created"
    SENDING = "sending"
    UNKNOWN = "unknown"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LATE = "late"
    REVERSED = "reversed"


class RefundState(StrEnum):
    CREATED = "created"
    SENDING = "sending"
    UNKNOWN = "unknown"
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


class MadeBy(StrEnum):
    """Which API a payment was made by."""

    GATEWAY = "gateway"
    TENANT = "tenant"
    PROCESSING = "processing"
    BOOKINGS = "bookings"


class RefundOrigin(StrEnum):
    """Who made a refund: a merchant through the gateway, or someone in the provider's dashboard."""

    GATEWAY = "gateway"
    PROVIDER = "provider"


class Payment(Base):
    """What a merchant asked for and what became of it (app/services/payments/states.py). Amounts are in minor units.

    provider: as requested (`visa`), or the chosen one when that was `auto`. payment_method: as requested. description: for the
    customer. reference: the merchant's own, not unique. order_id: the order it pays, if any. saved_details: of
    the customer's saved method that it is charged with. save_method: whether the customer's method is saved when it is paid (`save`,
    `save_as_default`). amount: what the
    payment is about, and what can be refunded: the requested amount, or the collected one that an operator accepted instead.
    requested_amount: what the merchant asked for; it never changes. fee: what the tenant paid, known when completed.
    refund_reserved: refunds requested and not failed; refunded: those completed. reviews: why an operator must look at it.
    failure_code, failure_reason: why it failed, a FailureCode and its sentence; provider_failure: the provider's own {code, message}.
    last_write: the write set that changed it, its attempts or its refunds last (services/write_sets/store.py).
    api: which API it was made by.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        CheckConstraint("requested_amount > 0"),
        CheckConstraint("refunded >= 0 AND refunded <= refund_reserved AND refund_reserved <= amount"),
        one_of("status", PaymentStatus),
        one_of("save_method", SaveMethod),
        one_of("api", MadeBy),
        Index("payments_of_processing", "tenant_id", "id", postgresql_where="api = 'processing'"),
        Index("payments_tenant_id_id", "tenant_id", "id"),
        Index("payments_tenant_id_status_id", "tenant_id", "status", "id"),
        Index(
            "payments_tenant_id_customer_id_id",
            "tenant_id",
            "customer_id",
            "id",
            postgresql_where="customer_id IS NOT NULL",
        ),
        Index("payments_tenant_id_amount_id", "tenant_id", "amount", "id"),
        # Phones, e-mails and keys are rarely shared by tenants, and operators look for them in all.
        Index("payments_customer_phone_id", "customer_phone", "id"),
        Index("payments_customer_email_id", func.lower(text("customer_email")), "id"),
        Index(
            "payments_live_of_order",
            "order_id",
            unique=True,
            postgresql_where="order_id IS NOT NULL AND status NOT IN ('failed', 'cancelled')",
        ),
        Index("payments_order_id_id", "order_id", "id", postgresql_where="order_id IS NOT NULL"),
        Index("payments_idempotency_key", "idempotency_key"),
        Index("payments_reference", "reference", postgresql_where="reference IS NOT NULL"),
        Index(
            "payments_metadata",
            "metadata",
            postgresql_using="gin",
            postgresql_ops={"metadata": "jsonb_path_ops"},
            postgresql_where="metadata IS NOT NULL",
        ),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    idempotency_key: Mapped[Words]
    provider: Mapped[Words]
    payment_method: Mapped[Words]
    return_url: Mapped[Words | None]
    description: Mapped[Words | None]
    reference: Mapped[Words | None]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    requested_amount: Mapped[Minor]
    requested_currency: Mapped[str] = mapped_column(CHAR(3))
    status: Mapped[PaymentStatus] = mapped_column(EnumText(PaymentStatus))
    customer_id: Mapped[Words | None]
    customer_phone: Mapped[Words | None]
    customer_email: Mapped[Words | None]
    customer_name: Mapped[Words | None]
    # "metadata" is SQLAlchemy's own word on a class.
    payment_metadata: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    provider_transaction_id: Mapped[Words | None]
    provider_response: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    payment_url: Mapped[Words | None]
    failure_code: Mapped[Words | None]
    failure_reason: Mapped[Words | None]
    provider_failure: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    fee: Mapped[int | None] = mapped_column(BigInteger)
    refund_reserved: Mapped[Minor] = mapped_column(default=0)
    refunded: Mapped[Minor] = mapped_column(default=0)
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    completed_at: Mapped[Moment | None]
    last_write: Mapped[uuid.UUID | None]
    api: Mapped[MadeBy] = mapped_column(EnumText(MadeBy))
    order_id: Mapped[uuid.UUID | None]
    saved_details: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    save_method: Mapped[SaveMethod | None] = mapped_column(EnumText(SaveMethod))
    reviews: Mapped[list[PaymentReview]] = relationship(
        primaryjoin="and_(foreign(PaymentReview.payment_id) == Payment.id, PaymentReview.closed_at.is_(None))",
        order_by=PaymentReview.opened_at,
        lazy="selectin",
    )
    """Those that are open, and those closed in this session."""

    @property
    def requested(self) -> Money:
        """What the merchant asked for."""
        return Money(self.requested_amount, self.requested_currency)

    @property
    def open_reviews(self) -> tuple[ReviewReason, ...]:
        """The open reasons, the most pressing first: by group, within a group the latest."""
        latest_first = reversed([review.reason for review in self.reviews if review.closed_at is None])
        return tuple(sorted(latest_first, key=lambda reason: list(ReviewGroup).index(reason.group)))

    @property
    def review(self) -> ReviewReason | None:
        """The most pressing reason."""
        return next(iter(self.open_reviews), None)


class PaymentAttempt(Base):
    """One try at collecting a payment at one provider. reference: our key there, fixed before the first byte is sent.

    provider: the adapter's name. account_id: the tenant's own account, NULL for the platform's. short_reference: the few
    characters that payers and statements show. callback_token: the digest of the secret end of the attempt's own callback URL (callback_tokens.py).
    collected: what the provider has collected, in minor units of collected_currency, which may not be the payment's.
    """

    __tablename__ = "payment_attempts"
    __table_args__ = (
        UniqueConstraint("payment_id", "number"),
        CheckConstraint("(collected IS NULL) = (collected_currency IS NULL)"),
        one_of("state", AttemptState),
        Index(
            "payment_attempts_live",
            "payment_id",
            unique=True,
            postgresql_where="state IN ('created', 'sending', 'unknown', 'pending', 'succeeded')",
        ),
        # One charge of a provider is one attempt's, whatever a callback says.
        # The provider's word comes first: who looks for a payment often has that alone.
        Index(
            "payment_attempts_provider_reference",
            "provider_reference",
            "provider",
            "account_id",
            unique=True,
            postgresql_where="provider_reference IS NOT NULL",
            postgresql_nulls_not_distinct=True,
        ),
        Index(
            "payment_attempts_receipt",
            "receipt",
            "provider",
            "account_id",
            unique=True,
            postgresql_where="receipt IS NOT NULL",
            postgresql_nulls_not_distinct=True,
        ),
        Index("payment_attempts_short_reference", "short_reference"),
    )

    id: Mapped[Key]
    payment_id: Mapped[uuid.UUID]
    number: Mapped[int]
    provider: Mapped[Words]
    account_id: Mapped[uuid.UUID | None]
    environment: Mapped[Words]
    reference: Mapped[Words] = mapped_column(unique=True)
    short_reference: Mapped[Words]
    callback_token: Mapped[Words] = mapped_column(unique=True)
    state: Mapped[AttemptState] = mapped_column(EnumText(AttemptState))
    provider_reference: Mapped[Words | None]
    receipt: Mapped[Words | None]
    collected: Mapped[int | None] = mapped_column(BigInteger)
    collected_currency: Mapped[str | None] = mapped_column(CHAR(3))
    error_code: Mapped[Words | None]
    error_message: Mapped[Words | None]
    inquiries: Mapped[int] = mapped_column(default=0)
    sendings: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[Moment | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]

    @property
    def collected_money(self) -> Money | None:
        """What the provider has collected; None until it has."""
        if self.collected is None or self.collected_currency is None:
            return None
        return Money(self.collected, self.collected_currency)

    @collected_money.setter
    def collected_money(self, money: Money) -> None:
        self.collected, self.collected_currency = money.amount_minor, money.currency


class Refund(Base):
    """Money returned to the customer. It holds its amount of the tenant's balance under its own id until it is completed
    (captured) or failed (released). reference: our key at the provider; a refund is sent once.

    origin: `provider` for an external refund, made in the provider's dashboard: it is posted when it is found, and held
    nothing. is_from_suspense: it returns money that fits no payment. error_code, error_message: what was answered last, for
    operators. failure_code, failure_reason, provider_failure: as a payment's.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        one_of("state", RefundState),
        one_of("origin", RefundOrigin),
        Index("refunds_payment_id", "payment_id"),
        # One refund of a provider's is posted once, whoever reports it.
        Index(
            "refunds_external",
            "attempt_id",
            "provider_reference",
            unique=True,
            postgresql_where="origin = 'provider'",
        ),
        Index("refunds_provider_reference", "provider_reference"),
    )

    id: Mapped[Key]
    payment_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    reason: Mapped[Words | None]
    origin: Mapped[RefundOrigin] = mapped_column(EnumText(RefundOrigin), default=RefundOrigin.GATEWAY)
    is_from_suspense: Mapped[bool]
    reference: Mapped[Words] = mapped_column(unique=True)
    callback_token: Mapped[Words] = mapped_column(unique=True)
    state: Mapped[RefundState] = mapped_column(EnumText(RefundState))
    provider_reference: Mapped[Words | None]
    error_code: Mapped[Words | None]
    error_message: Mapped[Words | None]
    failure_code: Mapped[Words | None]
    failure_reason: Mapped[Words | None]
    provider_failure: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    refunded_before: Mapped[Minor] = mapped_column(default=0)
    inquiries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[Moment | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    completed_at: Mapped[Moment | None]

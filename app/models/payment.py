"""Payments through providers, the attempts to collect them, and refunds."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import CHAR, BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Minor, Moment, Words

PAYMENT_STATUSES = (
    "pending", "processing", "completed", "partially_refunded", "refunded", "reversed", "failed", "cancelled",
)  # fmt: skip
ATTEMPT_STATES = (
    "created",
    "sending",
    "unknown",
    "pending",
    "succeeded",
    "failed",
    "cancelled",
    "late",
    "reversed",
)
REFUND_STATES = ("created", "sending", "unknown", "pending", "completed", "failed")
REFUND_ORIGINS = ("gateway", "provider")


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})")


class Payment(Base):
    """What a merchant asked for and what became of it (app/services/payments/states.py).

    provider: as asked (`visa`), or the chosen one when that was `auto`. payment_method: as asked. amounts in minor units. fee: what the tenant
    paid, known when completed. refund_reserved: refunds asked for and not failed; refunded: those completed.
    review: why a person must look (`late_success`, `amount_mismatch`, `nothing_to_ask_by` …), NULL normally.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        CheckConstraint("refunded >= 0 AND refunded <= refund_reserved AND refund_reserved <= amount"),
        _one_of("status", PAYMENT_STATUSES),
        Index("payments_tenant_id_id", "tenant_id", "id"),
        Index("payments_tenant_id_status_id", "tenant_id", "status", "id"),
        Index("payments_tenant_id_customer_id_id", "tenant_id", "customer_id", "id"),
        Index("payments_review", "id", postgresql_where="review IS NOT NULL"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    idempotency_key: Mapped[Words]
    provider: Mapped[Words]
    payment_method: Mapped[Words]
    return_url: Mapped[Words | None]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    status: Mapped[Words]
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
    fee: Mapped[int | None] = mapped_column(BigInteger)
    refund_reserved: Mapped[Minor] = mapped_column(default=0)
    refunded: Mapped[Minor] = mapped_column(default=0)
    review: Mapped[Words | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    completed_at: Mapped[Moment | None]


class PaymentAttempt(Base):
    """One asking for a payment's money at one provider. reference: our key there, fixed before the first byte.

    provider: the adapter's name. account_id: the tenant's own account, NULL for the house's. label: the short text
    people and statements see. callback_token: the secret end of the attempt's own callback URL. collected: what the
    provider says it took, in minor units. state `late`: it was given up, and the money came all the same (suspense).
    """

    __tablename__ = "payment_attempts"
    __table_args__ = (
        UniqueConstraint("payment_id", "number"),
        _one_of("state", ATTEMPT_STATES),
        Index(
            "payment_attempts_live", "payment_id", unique=True,
            postgresql_where="state IN ('created', 'sending', 'unknown', 'pending', 'succeeded')",
        ),
        # One charge of a provider is one attempt's, whatever a callback says.
        Index(
            "payment_attempts_provider_reference", "provider", "account_id", "provider_reference", unique=True,
            postgresql_where="provider_reference IS NOT NULL", postgresql_nulls_not_distinct=True,
        ),
        Index(
            "payment_attempts_receipt", "provider", "account_id", "receipt", unique=True,
            postgresql_where="receipt IS NOT NULL", postgresql_nulls_not_distinct=True,
        ),
        Index("payment_attempts_label", "provider", "label"),
    )  # fmt: skip

    id: Mapped[Key]
    payment_id: Mapped[uuid.UUID]
    number: Mapped[int]
    provider: Mapped[Words]
    account_id: Mapped[uuid.UUID | None]
    environment: Mapped[Words]
    reference: Mapped[Words] = mapped_column(unique=True)
    label: Mapped[Words]
    callback_token: Mapped[Words] = mapped_column(unique=True)
    state: Mapped[Words]
    provider_reference: Mapped[Words | None]
    receipt: Mapped[Words | None]
    collected: Mapped[int | None] = mapped_column(BigInteger)
    error_code: Mapped[Words | None]
    error_message: Mapped[Words | None]
    inquiries: Mapped[int] = mapped_column(default=0)
    sendings: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[Moment | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]


class Refund(Base):
    """Money going back. It holds the tenant's balance under its own id until it is completed (captured) or failed
    (released). reference: our key at the provider; a refund is its own one attempt.

    origin: `provider` for one that somebody made in the provider's portal; it is booked when it is found, and held nothing.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        _one_of("state", REFUND_STATES),
        _one_of("origin", REFUND_ORIGINS),
        Index("refunds_payment_id", "payment_id"),
        # One refund of a provider's is booked once, whoever brings it.
        Index(
            "refunds_found", "attempt_id", "provider_reference", unique=True,
            postgresql_where="origin = 'provider'",
        ),
        Index("refunds_provider_reference", "provider_reference"),
    )  # fmt: skip

    id: Mapped[Key]
    payment_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    reason: Mapped[Words | None]
    origin: Mapped[Words] = mapped_column(default="gateway")
    is_from_suspense: Mapped[bool]
    reference: Mapped[Words] = mapped_column(unique=True)
    callback_token: Mapped[Words] = mapped_column(unique=True)
    state: Mapped[Words]
    provider_reference: Mapped[Words | None]
    error_code: Mapped[Words | None]
    error_message: Mapped[Words | None]
    refunded_before: Mapped[Minor] = mapped_column(default=0)
    inquiries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[Moment | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    completed_at: Mapped[Moment | None]

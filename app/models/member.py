"""The users who act for a tenant, each in one role, and invitations to become one."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class Role(StrEnum):
    """What a member is for a tenant; its scopes are in services/tenants/roles.py."""

    OWNER = "owner"
    ADMIN = "admin"
    FINANCE_ADMIN = "finance_admin"
    FINANCE = "finance"
    SUPPORT_LEAD = "support_lead"
    ANALYST = "analyst"
    CASHIER = "cashier"


class TenantScope(StrEnum):
    """What a member, or an API key, may do for its tenant."""

    CONVERSATIONS_VIEW = "conversations:view"
    CUSTOMERS_CONTACT = "customers:contact"
    PAYMENTS_VIEW = "payments:view"
    ORDERS_VIEW = "orders:view"
    ORDERS_MANAGE = "orders:manage"
    ORDERS_COLLECT = "orders:collect"
    FINANCE_VIEW = "finance:view"
    FINANCE_REFUND = "finance:refund"
    FINANCE_CLOSE = "finance:close"
    FINANCE_WITHDRAW_INITIATE = "finance:withdraw:initiate"
    FINANCE_WITHDRAW_APPROVE = "finance:withdraw:approve"
    DEVELOPERS_VIEW = "developers:view"
    DEVELOPERS_MANAGE = "developers:manage"
    PEOPLE_MANAGE = "people:manage"
    SETTINGS_MANAGE = "settings:manage"
    AUDIT_VIEW = "audit:view"


class Member(Base):
    """A user who acts for a tenant. The row of someone who was removed is deleted. suspended_at: None while they may act."""

    __tablename__ = "members"
    __table_args__ = (one_of("role", Role), Index("members_user_id", "user_id"))

    tenant_id: Mapped[Key]
    user_id: Mapped[Key]
    role: Mapped[Role] = mapped_column(EnumText(Role))
    created_at: Mapped[Moment]
    suspended_at: Mapped[Moment | None]


class Invitation(Base):
    """An invitation of an e-mail address into a role. token_hash: SHA-256 of the token that accepts it, once.

    email: lower-case. invited_by: the actor of the event. It is open while it was neither accepted nor revoked and has not expired.
    """

    __tablename__ = "invitations"
    __table_args__ = (
        one_of("role", Role),
        Index("invitations_tenant_id_id", "tenant_id", "id"),
        Index(
            "invitations_open",
            "tenant_id",
            "email",
            unique=True,
            postgresql_where="accepted_at IS NULL AND revoked_at IS NULL",
        ),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    email: Mapped[Words]
    role: Mapped[Role] = mapped_column(EnumText(Role))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    invited_by: Mapped[Words]
    created_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    accepted_at: Mapped[Moment | None]
    accepted_by: Mapped[uuid.UUID | None]
    revoked_at: Mapped[Moment | None]

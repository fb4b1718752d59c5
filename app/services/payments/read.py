"""Read payments."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import (
    TransactionNotFound,
)
from app.models.payment import Payment, PaymentAttempt, PaymentStatus
from app.principal import Principal
from app.services import list_totals
from app.services.pages import Page, PageRequest
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.accounts import BoundProvider
from app.unit_of_work import reading


def get_payment(merchant: Principal, payment_id: uuid.UUID) -> Payment:
    """Raises TransactionNotFound."""
    with reading() as session:
        return owned(session, merchant.tenant_id, payment_id)


def list_payments(
    merchant: Principal,
    request: PageRequest,
    *,
    provider: str | None = None,
    status: str | None = None,
    customer_id: str | None = None,
) -> Page[Payment]:
    """The tenant's payments, newest first."""
    if status is not None and status not in list(PaymentStatus):
        return Page([], has_next=False, total=0)
    query = select(Payment).where(Payment.tenant_id == merchant.tenant_id)
    for column, value in (
        (Payment.provider, provider),
        (Payment.status, status),
        (Payment.customer_id, customer_id),
    ):
        if value is not None:
            query = query.where(column == value)
    page = query.order_by(Payment.id.desc()).limit(request.limit + 1)
    page = page.where(Payment.id < request.after) if request.after else page.offset(request.offset)
    with reading() as session:
        rows = session.scalars(page).all()
        key = (merchant.tenant_id, provider, status, customer_id)
        total = list_totals.total(session, query.with_only_columns(Payment.id), key=key)
    return Page.cut(rows, limit=request.limit, total=total)


def providers(merchant: Principal) -> Mapping[str, BoundProvider]:
    """The providers this tenant can use, by name, in the registry's order."""
    return provider_accounts.available(merchant.tenant_id)


def owned(session: Session, tenant_id: uuid.UUID, payment_id: uuid.UUID) -> Payment:
    """The tenant's payment. Raises TransactionNotFound: another tenant's looks the same."""
    payment = session.get(Payment, payment_id)
    if payment is None or payment.tenant_id != tenant_id:
        raise TransactionNotFound
    return payment


def latest_attempt(session: Session, payment_id: uuid.UUID) -> PaymentAttempt | None:
    wanted = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
    return session.scalars(wanted.order_by(PaymentAttempt.number.desc()).limit(1)).first()

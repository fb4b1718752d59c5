"""Read payments."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import PermissionDenied, TransactionNotFound
from app.models.dispute import Dispute
from app.models.payment import MadeBy, Payment, PaymentAttempt, PaymentStatus
from app.principal import Kind, Principal
from app.services import list_totals
from app.services.pages import Page, PageRequest
from app.services.payments.filters import PaymentFilter
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.accounts import BoundProvider
from app.unit_of_work import reading


def get_payment(reader: Principal, payment_id: uuid.UUID) -> Payment:
    """Raises TransactionNotFound."""
    with reading() as session:
        return readable(session, reader, payment_id)


def find_payment(
    merchant: Principal, between: tuple[uuid.UUID, uuid.UUID], *, api: MadeBy, since: datetime | None
) -> Payment:
    """The merchant's payment whose id is one of these, made by this API, at `since` or later. Raises TransactionNotFound."""
    wanted = PaymentFilter(tenant_id=merchant.tenant_id, api=api, created_from=since)
    query = select(Payment).where(*wanted.conditions(), Payment.id.between(*between)).limit(1)
    with reading() as session:
        payment = session.scalars(query).one_or_none()
    if payment is None:
        raise TransactionNotFound
    return payment


def list_payments(reader: Principal, request: PageRequest, wanted: PaymentFilter) -> Page[Payment]:
    """Payments, newest first: a merchant's own, or for an operator those of every tenant, or of `wanted.tenant_id`.

    Raises PermissionDenied for anybody else.
    """
    if reader.tenant is not None:
        wanted = replace(wanted, tenant_id=reader.tenant)
    elif reader.kind is not Kind.OPERATOR:
        raise PermissionDenied
    if wanted.status is not None and wanted.status not in list(PaymentStatus):
        return Page([], has_next=False, total=0)
    query = select(Payment).where(*wanted.conditions())
    page = query.order_by(Payment.id.desc()).limit(request.limit + 1)
    page = page.where(Payment.id < request.after) if request.after else page.offset(request.offset)
    with reading() as session:
        rows = session.scalars(page).all()
        total = list_totals.total(session, query.with_only_columns(Payment.id), key=(wanted,))
    return Page.cut(rows, limit=request.limit, total=total)


def list_disputes(reader: Principal, payment_id: uuid.UUID) -> list[Dispute]:
    """Every dispute of a payment, oldest first, for its merchant or an operator. Raises TransactionNotFound."""
    with reading() as session:
        readable(session, reader, payment_id)
        rows = session.scalars(select(Dispute).where(Dispute.payment_id == payment_id).order_by(Dispute.id))
        return list(rows)


def providers(merchant: Principal) -> Mapping[str, BoundProvider]:
    """The providers this tenant can use, by name, in the registry's order."""
    return provider_accounts.available(merchant.tenant_id)


def readable(session: Session, reader: Principal, payment_id: uuid.UUID) -> Payment:
    """A payment of the merchant who reads it, or for an operator of any tenant. Raises TransactionNotFound."""
    if reader.kind is not Kind.OPERATOR:
        return owned(session, reader.tenant_id, payment_id)
    payment = session.get(Payment, payment_id)
    if payment is None:
        raise TransactionNotFound
    return payment


def owned(session: Session, tenant_id: uuid.UUID, payment_id: uuid.UUID) -> Payment:
    """The tenant's payment. Raises TransactionNotFound: another tenant's looks the same."""
    payment = session.get(Payment, payment_id)
    if payment is None or payment.tenant_id != tenant_id:
        raise TransactionNotFound
    return payment


def latest_attempt(session: Session, payment_id: uuid.UUID) -> PaymentAttempt | None:
    wanted = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
    return session.scalars(wanted.order_by(PaymentAttempt.number.desc()).limit(1)).first()

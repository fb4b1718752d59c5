"""Reads of withdrawals."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from app.models.withdrawal import Withdrawal, WithdrawalState
from app.principal import Principal
from app.services import list_totals
from app.services.pages import Page, PageRequest
from app.unit_of_work import reading


def list_withdrawals(
    reader: Principal, request: PageRequest, *, statuses: Sequence[WithdrawalState] = ()
) -> Page[Withdrawal]:
    """The tenant's withdrawals, newest first. statuses: none of them for all."""
    wanted = select(Withdrawal).where(Withdrawal.tenant_id == reader.tenant_id)
    if statuses:
        wanted = wanted.where(Withdrawal.status.in_(statuses))
    page = wanted if request.after is None else wanted.where(Withdrawal.id < request.after)
    page = page.order_by(Withdrawal.id.desc()).offset(request.offset).limit(request.limit + 1)
    with reading() as session:
        rows = session.scalars(page).all()
        key = ("withdrawals", reader.tenant_id, tuple(statuses))
        total = list_totals.total(session, wanted.with_only_columns(Withdrawal.id), key=key)
    return Page.cut(rows, limit=request.limit, total=total)

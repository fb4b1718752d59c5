"""Reads a tenant's requests, newest first, and deletes old ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import NotFound
from app.models.api_request import ApiRequest
from app.services.pages import Page, PageRequest
from app.unit_of_work import reading


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Every criterion that is set must hold. status_class: 2 for 2xx. object_id: as an API writes it. key_digest: of the
    Idempotency-Key."""

    status_class: int | None = None
    method: str | None = None
    route: str | None = None
    key_id: uuid.UUID | None = None
    request_id: str | None = None
    object_id: str | None = None
    key_digest: bytes | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.status_class is not None:
            yield ApiRequest.status.between(self.status_class * 100, self.status_class * 100 + 99)
        for column, value in (
            (ApiRequest.method, self.method),
            (ApiRequest.route, self.route),
            (ApiRequest.key_id, self.key_id),
            (ApiRequest.request_id, self.request_id),
            (ApiRequest.object_id, self.object_id),
            (ApiRequest.key_digest, self.key_digest),
        ):
            if value is not None:
                yield column == value


def list_requests(tenant_id: uuid.UUID, request: PageRequest, wanted: RequestFilter) -> Page[ApiRequest]:
    """The tenant's requests, newest first. They are not counted."""
    query = select(ApiRequest).where(ApiRequest.tenant_id == tenant_id, *wanted.conditions())
    if request.after is not None:
        query = query.where(ApiRequest.id < request.after)
    with reading() as session:
        rows = session.scalars(query.order_by(ApiRequest.id.desc()).limit(request.limit + 1)).all()
    return Page.cut(rows, limit=request.limit)


def get_request(tenant_id: uuid.UUID, id: uuid.UUID) -> ApiRequest:
    """Raises NotFound: unknown, deleted, or another tenant's."""
    with reading() as session:
        found = session.get(ApiRequest, id)
    if found is None or found.tenant_id != tenant_id:
        raise NotFound
    return found


def delete_old(session: Session, *, limit: int) -> int:
    """Delete up to `limit` requests that are older than REQUEST_LOG_DAYS; how many."""
    end = clock.now() - timedelta(days=current_app.config["REQUEST_LOG_DAYS"])
    old = select(ApiRequest.id).where(ApiRequest.id < ids.first_of(end)).order_by(ApiRequest.id).limit(limit)
    deleted = session.execute(
        delete(ApiRequest).where(ApiRequest.id.in_(old)).returning(ApiRequest.id),
        execution_options={"synchronize_session": False},
    )
    return len(deleted.all())

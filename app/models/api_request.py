"""What merchants' backends have asked for, without what is secret: kept for 30 days."""

from __future__ import annotations

import uuid

from sqlalchemy import Index, LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Words


class ApiRequest(Base):
    """key_digest: eight bytes of SHA-256 of the Idempotency-Key. route: the URL's template; path: as it was asked for.

    request, answer: of the bodies the fields that may be kept, at most 4,096 characters. Its time is its id's.
    """

    __tablename__ = "api_requests"
    __table_args__ = (
        Index("api_requests_tenant_id_id", "tenant_id", "id"),
        Index(
            "api_requests_tenant_id_object_id",
            "tenant_id",
            "object_id",
            "id",
            postgresql_where="object_id IS NOT NULL",
        ),
        Index("api_requests_request_id", "request_id"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    key_id: Mapped[uuid.UUID | None]
    user_id: Mapped[uuid.UUID | None]
    request_id: Mapped[Words]
    method: Mapped[Words]
    route: Mapped[Words]
    path: Mapped[Words]
    status: Mapped[int] = mapped_column(SmallInteger)
    duration_ms: Mapped[int]
    key_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    is_replay: Mapped[bool]
    object_id: Mapped[Words | None]
    error_code: Mapped[Words | None]
    address: Mapped[Words | None]
    request: Mapped[Words | None]
    answer: Mapped[Words | None]

"""Identity verification: the details a user submitted, the documents, and the decision."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class KycStatus(StrEnum):
    """pending → under_review → verified or rejected (app/services/kyc/verification.py, MOVES)."""

    PENDING = "pending"
    UNDER_REVIEW = "under_review"
    VERIFIED = "verified"
    REJECTED = "rejected"


class KycRequest(Base):
    """`details` is encrypted (app/crypto.py)."""

    __tablename__ = "kyc_requests"
    __table_args__ = (one_of("status", KycStatus),)

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    status: Mapped[KycStatus] = mapped_column(EnumText(KycStatus))
    details: Mapped[bytes] = mapped_column(LargeBinary)
    rejection_reason: Mapped[Words | None]
    submitted_at: Mapped[Moment]
    decided_at: Mapped[Moment | None]


class KycDocument(Base):
    """A file under VAR_DIR, encrypted; never served. `sha256` is of the plain content."""

    __tablename__ = "kyc_documents"

    id: Mapped[Key]
    request_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("kyc_requests.id", ondelete="CASCADE"), index=True
    )
    document_type: Mapped[Words]
    media_type: Mapped[Words]
    size: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    file_name: Mapped[Words]
    uploaded_at: Mapped[Moment]

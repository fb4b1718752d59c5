"""Identity verification: submitting, documents, decisions.

Guarantees: a user has at most one request that is not rejected; a status moves only along MOVES; verifying and the
user's tier change together. What a user submits is stored encrypted, and is in no event and no log.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, ids, queue
from app.crypto import sealer
from app.errors import GatewayError, InvalidRequest, NotFound, PayloadTooLarge, ServiceUnavailable
from app.events import outbox
from app.events.catalogue import EventType
from app.models import KycDocument, KycRequest, User
from app.models.job import JobKind
from app.models.kyc import KycStatus
from app.principal import SYSTEM, Principal
from app.services.kyc import files
from app.services.wallets.spending_limits import TIERS, Tier
from app.unit_of_work import reading, transaction

DETAILS_PURPOSE: Final = "kyc.details"
VERIFIED_TIER: Final = 2
MAX_DOCUMENTS: Final = 10
"""Documents of one request."""
MAX_AGE_YEARS: Final = 130
ORPHAN_LIFE: Final = timedelta(days=1)
"""How old a document's file without a row must be before the sweep takes it: far older than any transaction."""

Verdict = Literal[KycStatus.VERIFIED, KycStatus.REJECTED]

MOVES: Final[Mapping[KycStatus, frozenset[KycStatus]]] = MappingProxyType(
    {
        KycStatus.PENDING: frozenset({KycStatus.UNDER_REVIEW}),
        KycStatus.UNDER_REVIEW: frozenset({KycStatus.VERIFIED, KycStatus.REJECTED}),
        KycStatus.VERIFIED: frozenset(),
        KycStatus.REJECTED: frozenset(),
    }
)
"""Status → the statuses it may become. After a rejection the user submits a new request."""

OPEN: Final = frozenset({KycStatus.PENDING, KycStatus.UNDER_REVIEW})

_EVENT_OF: Final[Mapping[KycStatus, EventType]] = MappingProxyType(
    {
        KycStatus.UNDER_REVIEW: EventType.KYC_UNDER_REVIEW,
        KycStatus.VERIFIED: EventType.KYC_VERIFIED,
        KycStatus.REJECTED: EventType.KYC_REJECTED,
    }
)


@dataclass(frozen=True, slots=True)
class KycOverview:
    """A user's verification. request: the latest one; None: they have submitted nothing. limits: those of their tier."""

    request: KycRequest | None
    tier: int
    limits: Tier


def submit(actor: Principal, details: Mapping[str, Any]) -> KycRequest:
    """Open a request with what the user submitted (validated, JSON-safe).

    Raises InvalidRequest when a request is open or verified, or a date cannot be.
    """
    now = clock.now()
    _check_dates(details, now.date())
    request_id = ids.uuid7()
    sealed = sealer().seal(json.dumps(dict(details)).encode(), purpose=DETAILS_PURPOSE, row_id=request_id)

    def work(session: Session) -> KycRequest:
        # The user's row is locked, so that of two submissions at once the second sees the first.
        session.execute(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
        current = _current(session, actor.user_id)
        if current is not None and current.status is not KycStatus.REJECTED:
            raise InvalidRequest(f"You have a verification request already; it is {_words(current.status)}.")
        request = KycRequest(
            id=request_id,
            user_id=actor.user_id,
            status=KycStatus.PENDING,
            details=sealed,
            rejection_reason=None,
            submitted_at=now,
            decided_at=None,
        )
        session.add(request)
        _record(session, EventType.KYC_SUBMITTED, request, actor=actor, now=now)
        return request

    return transaction(work)


def add_document(actor: Principal, content: bytes, *, document_type: str) -> tuple[KycDocument, KycStatus]:
    """Store a document for the actor's open request; returns it and the request's status.

    The first one puts the request under review. Raises InvalidRequest (no open request, too many documents, empty, or
    not JPG, PNG or PDF by its content), PayloadTooLarge.
    """
    if len(content) > current_app.config["MAX_DOCUMENT_BYTES"]:
        most = current_app.config["MAX_DOCUMENT_BYTES"] // 1024
        raise PayloadTooLarge(f"A document has at most {most} KB.", field="document")
    media_type = files.media_type_of(content)
    with reading() as session:
        _open_request(session, actor.user_id)
    document_id, now = ids.uuid7(), clock.now()
    file_name = files.write(content, document_id=document_id)

    def work(session: Session) -> tuple[KycDocument, KycStatus]:
        document = KycDocument(
            id=document_id,
            document_type=document_type,
            media_type=media_type,
            size=len(content),
            sha256=hashlib.sha256(content).digest(),
            file_name=file_name,
            uploaded_at=now,
        )
        return document, _attach(session, document, actor=actor, now=now)

    try:
        return transaction(work)
    except ServiceUnavailable:
        raise  # it may have committed: if it has not, the sweep takes the file
    except GatewayError:
        files.remove(file_name)
        raise


def decide(request_public_id: str, verdict: Verdict, *, reason: str | None, operator: Principal) -> None:
    """An operator's decision on a request under review.

    Raises NotFound, InvalidRequest (not under review, or a rejection without a reason).
    """
    if verdict is KycStatus.REJECTED and not reason:
        raise InvalidRequest("A rejection needs a reason.", field="reason")
    request_id = ids.parse(ids.KYC_REQUEST, request_public_id)
    now = clock.now()

    def work(session: Session) -> None:
        request = _locked(session, request_id)
        _move(session, request, verdict, actor=operator, now=now)
        request.decided_at = now
        request.rejection_reason = reason if verdict is KycStatus.REJECTED else None
        if verdict is KycStatus.VERIFIED:
            user = session.scalars(
                select(User).where(User.id == request.user_id).with_for_update(key_share=True)
            ).one()
            user.tier = max(user.tier, VERIFIED_TIER)

    transaction(work)


def verify_unattended(request_public_id: str) -> None:
    """The demo's decision: verify a request that is under review. Nothing when it was decided before, or is switched off."""
    if current_app.config["KYC_AUTO_VERIFY_S"] is None:
        return
    with reading() as session:
        wanted = select(KycRequest.status).where(
            KycRequest.id == ids.parse(ids.KYC_REQUEST, request_public_id)
        )
        status = session.scalars(wanted).one_or_none()
    if status is not KycStatus.UNDER_REVIEW:
        return
    decide(request_public_id, KycStatus.VERIFIED, reason=None, operator=SYSTEM)


def overview(user_id: uuid.UUID) -> KycOverview:
    """The user's latest request, and the tier and limits that they have."""
    with reading() as session:
        user = session.scalars(select(User).where(User.id == user_id)).one()
        request = _current(session, user_id)
    return KycOverview(request, user.tier, TIERS[user.tier])


def sweep_documents() -> int:
    """Remove files of documents that were never committed; returns how many: none while the host's clock, which dates files, is
    not the database's."""
    if not clock.may_judge_ages():
        return 0
    with reading() as session:
        known = set(session.scalars(select(KycDocument.file_name)))
    return files.sweep(known, older_than=(clock.now() - ORPHAN_LIFE).timestamp())


def public_id(request: KycRequest) -> str:
    return ids.public(ids.KYC_REQUEST, request.id)


def _attach(session: Session, document: KycDocument, *, actor: Principal, now: datetime) -> KycStatus:
    """Add the row to the actor's open request and move that on; returns the request's status."""
    request = _open_request(session, actor.user_id, is_locked=True)
    count = select(func.count()).where(KycDocument.request_id == request.id)
    if session.execute(count).scalar_one() >= MAX_DOCUMENTS:
        raise InvalidRequest(f"A verification request has at most {MAX_DOCUMENTS} documents.")
    document.request_id = request.id
    session.add(document)
    _record(
        session,
        EventType.KYC_DOCUMENT_UPLOADED,
        request,
        actor=actor,
        now=now,
        document=ids.public(ids.KYC_DOCUMENT, document.id),
        document_type=document.document_type,
    )
    if request.status is KycStatus.PENDING:
        _move(session, request, KycStatus.UNDER_REVIEW, actor=actor, now=now)
        _schedule_verification(session, request, now=now)
    return request.status


def _schedule_verification(session: Session, request: KycRequest, *, now: datetime) -> None:
    wait_s = current_app.config["KYC_AUTO_VERIFY_S"]
    if wait_s is None:
        return
    name = public_id(request)
    run_at = now + timedelta(seconds=wait_s)
    queue.enqueue(session, JobKind.KYC_VERIFY, ref=name, run_at=run_at, now=now)


def _move(
    session: Session, request: KycRequest, status: KycStatus, *, actor: Principal, now: datetime
) -> None:
    if status not in MOVES[request.status]:
        raise InvalidRequest(f"The request is {_words(request.status)}; it cannot become {_words(status)}.")
    request.status = status
    _record(session, _EVENT_OF[status], request, actor=actor, now=now)


def _record(
    session: Session,
    event_type: EventType,
    request: KycRequest,
    *,
    actor: Principal,
    now: datetime,
    **facts: str,
) -> None:
    data = {"user": ids.public(ids.USER, request.user_id), "status": request.status} | facts
    outbox.record(session, event_type, object_id=public_id(request), data=data, now=now, actor=actor)


def _current(session: Session, user_id: uuid.UUID, *, is_locked: bool = False) -> KycRequest | None:
    """The user's latest request. Ids grow with time."""
    wanted = select(KycRequest).where(KycRequest.user_id == user_id).order_by(KycRequest.id.desc()).limit(1)
    return session.scalars(wanted.with_for_update(key_share=True) if is_locked else wanted).one_or_none()


def _open_request(session: Session, user_id: uuid.UUID, *, is_locked: bool = False) -> KycRequest:
    request = _current(session, user_id, is_locked=is_locked)
    if request is None or request.status not in OPEN:
        raise InvalidRequest("There is no open verification request: POST /kyc/submit first.")
    return request


def _locked(session: Session, request_id: uuid.UUID | None) -> KycRequest:
    wanted = select(KycRequest).where(KycRequest.id == request_id).with_for_update(key_share=True)
    request = session.scalars(wanted).one_or_none()
    if request is None:
        raise NotFound("There is no such verification request.")
    return request


def _check_dates(details: Mapping[str, Any], today: date) -> None:
    """`details` holds ISO dates that were parsed before."""
    born = date.fromisoformat(details["date_of_birth"])
    if born >= today or born.year < today.year - MAX_AGE_YEARS:
        raise InvalidRequest("This date of birth cannot be.", field="date_of_birth")
    expiry = details.get("document_expiry")
    if expiry is not None and date.fromisoformat(expiry) < today:
        raise InvalidRequest("This document has expired.", field="document_expiry")


def _words(status: KycStatus) -> str:
    return status.replace("_", " ")

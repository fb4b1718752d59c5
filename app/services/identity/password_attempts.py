"""Wrong passwords: after a few in a row the next attempts with the e-mail address must wait, longer each time.

Guarantees: an attempt is counted before the password is compared, so attempts made at once are no way round; an e-mail
address that no user has is counted, answered and recorded at the same cost; no wait is longer than MAX_WAIT; and who
attempts from a network that the user has signed in from lately is counted apart, so that others cannot lock the user out.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog
from flask import current_app
from sqlalchemy import Text, cast, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.addresses import client_network
from app.errors import RateLimitExceeded
from app.events import outbox
from app.events.catalogue import EventType
from app.models.user import PasswordAttempts, User, UserSession
from app.principal import Kind, Principal
from app.unit_of_work import transaction

FREE_FAILURES: Final = 5
"""Wrong passwords in a row; the last of them begins the first wait."""

FIRST_WAIT: Final = timedelta(seconds=30)
"""Doubled by each wrong password after it, up to MAX_WAIT."""

MAX_WAIT: Final = timedelta(minutes=15)

FORGOTTEN_AFTER: Final = timedelta(days=1)
"""Without an attempt for so long, a row of failures is forgotten."""

FAMILIAR_FOR: Final = timedelta(days=30)
"""How long a network counts apart after the user has signed in from it."""

_PURPOSE: Final = b"malipo password attempts"

log = structlog.get_logger("auth")


class Attempted(StrEnum):
    """What the password was sent for."""

    LOGIN = "login"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 a kind of attempt


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that was counted. email: lower-case, perhaps of no user. failures: in a row, if this one fails too."""

    email: str = field(repr=False)
    address: str | None
    bucket: bytes
    failures: int
    wait: timedelta


def begin(email: str, *, address: str | None) -> Attempt:
    """Count an attempt, before the password is compared. Raises RateLimitExceeded: it comes during a wait."""
    email, network, now = email.strip().lower(), client_network(address), clock.now()

    def work(session: Session) -> Attempt | datetime:
        bucket = _bucket(email, network if _is_familiar(session, email, network, now=now) else "")
        row = _locked(session, bucket, now=now)
        if row.refused_until is not None and row.refused_until > now:
            return row.refused_until
        row.failures = row.failures + 1 if row.last_at > now - FORGOTTEN_AFTER else 1
        wait = _wait_after(row.failures)
        row.last_at, row.refused_until = now, now + wait if wait else None
        return Attempt(email, address, bucket, row.failures, wait)

    attempt = transaction(work)
    if isinstance(attempt, datetime):
        raise RateLimitExceeded(
            "Too many wrong passwords for this e-mail address; try again later.",
            retry_after_s=max(1, math.ceil((attempt - now).total_seconds())),
        )
    return attempt


def record_failure(attempt: Attempt, kind: Attempted) -> None:
    """Log the failure, and record an event where it is the first in a row or begins a wait."""
    now = clock.now()

    def work(session: Session) -> uuid.UUID | None:
        # The same statements whether there is a user or not. The lock is one of them: a commit that has written nothing
        # would be faster.
        session.get(PasswordAttempts, attempt.bucket, with_for_update=True)
        is_theirs = User.email == attempt.email
        if attempt.failures == 1 or attempt.wait:
            outbox.record_where(
                session,
                EventType.AUTH_FAILED,
                is_theirs,
                object_id=ids.USER + func.replace(cast(User.id, Text), "-", ""),
                data={
                    "kind": kind,
                    "failures": attempt.failures,
                    "wait_s": int(attempt.wait.total_seconds()),
                },
                now=now,
                actor=Principal(Kind.SYSTEM, name="system", address=attempt.address),
            )
        return session.scalar(select(User.id).where(is_theirs))

    user_id = transaction(work)
    whose = (
        {"email_digest": _bucket(attempt.email, "").hex()[:16]}
        if user_id is None
        else {"user": ids.public(ids.USER, user_id)}
    )
    log.warning("auth.failed", kind=str(kind), address=attempt.address, failures=attempt.failures, **whose)


def record_success(session: Session, attempt: Attempt) -> None:
    """In the transaction that the right password has led to: the row of failures is over."""
    session.execute(delete(PasswordAttempts).where(PasswordAttempts.bucket == attempt.bucket))


def delete_forgotten(session: Session, *, now: datetime, limit: int) -> int:
    """Delete at most `limit` rows that nothing depends on any more; how many."""
    old = select(PasswordAttempts.bucket).where(PasswordAttempts.last_at <= now - FORGOTTEN_AFTER)
    batch = old.order_by(PasswordAttempts.last_at).limit(limit).with_for_update(skip_locked=True)
    deleted = session.execute(
        delete(PasswordAttempts)
        .where(PasswordAttempts.bucket.in_(batch.scalar_subquery()))
        .returning(PasswordAttempts.bucket)
    )
    return len(deleted.all())


def _wait_after(failures: int) -> timedelta:
    """Zero while attempts are free. The exponent is bounded: a row of failures may be long."""
    if failures < FREE_FAILURES:
        return timedelta(0)
    doublings = min(failures - FREE_FAILURES, 16)
    return min(FIRST_WAIT * (1 << doublings), MAX_WAIT)


def _is_familiar(session: Session, email: str, network: str, *, now: datetime) -> bool:
    if not network:
        return False
    opened = (
        select(UserSession.id)
        .join(User, User.id == UserSession.user_id)
        .where(
            User.email == email,
            UserSession.network == network,
            UserSession.created_at > now - FAMILIAR_FOR,
        )
    )
    return bool(session.scalar(select(exists(opened))))


def _locked(session: Session, bucket: bytes, *, now: datetime) -> PasswordAttempts:
    values = {"bucket": bucket, "failures": 0, "last_at": now, "refused_until": None}
    # An update that changes nothing locks the row that is there; between two statements it could be deleted.
    statement = (
        insert(PasswordAttempts)
        .values(values)
        .on_conflict_do_update(index_elements=[PasswordAttempts.bucket], set_={"bucket": bucket})
        .returning(PasswordAttempts)
    )
    return session.scalars(statement).one()


def _bucket(email: str, network: str) -> bytes:
    """Under a key of the gateway's: the table and the log name no e-mail address that can be guessed."""
    key = hmac.digest(current_app.config["SECRET_KEY"].encode(), _PURPOSE, hashlib.sha256)
    return hmac.digest(key, f"{email}\n{network}".encode(errors="backslashreplace"), hashlib.sha256)

"""Every operation happens at most once for a caller's key.

Guarantees: the key's claim, the operation's effects and its answer commit together or not at all; the same key and
body get the first answer again, refusals too; another body is refused; a key that is still running waits up to the
lock time-out and then answers 409. A key never acts twice, however old: its answer is deleted after ANSWER_LIFE, its
claim stays (services/operator/retention.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock
from app.errors import GatewayError, IdempotencyConflict, IdempotencyKeyReused, refusal
from app.json_text import json_text
from app.models.idempotency import IdempotencyRecord
from app.unit_of_work import reading, transaction

ANSWER_LIFE: Final = timedelta(hours=24)
"""How long the first answer is repeated word for word. Afterwards the key of a payment or refund shows it as it is now; any
other key answers that it was used."""


def _no_presenter(result: object) -> Answer:
    raise AssertionError("this operation needs a presenter")


@dataclass(frozen=True, slots=True)
class Claim:
    """scope: hash of caller, operation and key. fingerprint: SHA-256 of the validated body. key: as the client sent it.
    Without a key: a random scope, an empty fingerprint and an empty key.

    present: makes the dialect's answer of what the operation returned. It must depend on its argument alone. Operations
    that store facts instead of an answer (wallet payments) need none.
    """

    scope: uuid.UUID
    fingerprint: bytes
    key: str = ""
    present: Callable[[Any], Answer] = _no_presenter


@dataclass(frozen=True, slots=True)
class Answer:
    """A dialect's answer to an operation: its body and HTTP status. Services store and replay it; they never read it.

    replayed: it was stored by an earlier request with the same key.
    """

    body: dict[str, Any]
    status: int = 200
    replayed: bool = False


def answer_once(claim: Claim, act: Callable[[Session], Any]) -> Answer:
    """Run `act` in one transaction under `claim` and present what it returns, or replay the stored answer.

    A GatewayError with `is_answer` raised by `act` undoes its effects, is stored and raised, now and on every repeat.
    Raises IdempotencyKeyReused; IdempotencyConflict when the first is still running after the lock time-out. A request
    without a key is not recorded.
    """
    if not claim.key:
        return transaction(lambda session: claim.present(act(session)))

    def work(session: Session) -> Answer | GatewayError:
        known = _claim(session, claim)
        if known is not None:
            return _repeat(known, claim)
        try:
            with session.begin_nested():
                answer = claim.present(act(session))
        except GatewayError as error:
            if not error.is_answer:
                raise
            _store(session, claim, error.http_status, _refusal_body(error), is_refusal=True)
            return error
        _store(session, claim, answer.status, answer.body)
        return answer

    outcome = transaction(work)
    if isinstance(outcome, GatewayError):
        raise outcome
    return outcome


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The key's first request ended without an answer (its process died): what it made is carried on by jobs."""

    resource_id: uuid.UUID


def judge(known: IdempotencyRecord, claim: Claim, *, now: datetime) -> Answer | Abandoned:
    """What a key that was claimed before has led to: its answer, or what an ended lease left behind.

    Raises IdempotencyKeyReused; the stored refusal; IdempotencyConflict while the first request may still be running.
    """
    if bytes(known.fingerprint) != claim.fingerprint:
        raise IdempotencyKeyReused
    if known.status is not None and known.is_refusal:
        if _is_deleted(known, now):
            raise _used_long_ago()
        raise refusal(**json.loads(known.body or "{}"), replayed=True)
    if known.status is None or _is_deleted(known, now):
        if known.status is None and known.leased_until is not None and known.leased_until > now:
            raise IdempotencyConflict(retry_after_s=2)
        assert known.resource_id is not None, "a leased key names its resource"
        return Abandoned(known.resource_id)
    return Answer(json.loads(known.body or "{}"), status=known.status, replayed=True)


def find(claim: Claim) -> IdempotencyRecord | None:
    """The record of the key, None when it was never claimed."""
    with reading() as session:
        return session.get(IdempotencyRecord, claim.scope)


def store_answer(claim: Claim, answer: Answer) -> None:
    """Store the answer of a key that a write set has claimed, where it has none yet: one that is known only afterwards."""
    transaction(
        lambda session: session.execute(
            update(IdempotencyRecord)
            .where(IdempotencyRecord.scope == claim.scope, IdempotencyRecord.status.is_(None))
            .values(status=answer.status, body=json_text(answer.body))
        )
    )


def replayed(claim: Claim, result: object) -> Answer:
    """The answer of a key whose stored answer was deleted: the resource as it is now."""
    return replace(claim.present(result), replayed=True)


def stored_refusal(error: GatewayError) -> tuple[int, str]:
    """The status and the text that a refusal is stored as: it is raised again on every repeat."""
    return error.http_status, json_text(_refusal_body(error))


def _refusal_body(error: GatewayError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "field": error.field, "details": error.details}


def _claim(session: Session, claim: Claim) -> IdempotencyRecord | None:
    """None when this request has claimed the key; else the record of the first request (waits while that one runs)."""
    inserted = session.execute(
        insert(IdempotencyRecord)
        .values(
            scope=claim.scope,
            fingerprint=claim.fingerprint,
            is_refusal=False,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(IdempotencyRecord.scope)
    ).first()
    if inserted:
        return None
    return session.scalars(select(IdempotencyRecord).where(IdempotencyRecord.scope == claim.scope)).one()


def _store(
    session: Session,
    claim: Claim,
    status: int,
    body: dict[str, Any],
    *,
    is_refusal: bool = False,
) -> None:
    session.execute(
        update(IdempotencyRecord)
        .where(IdempotencyRecord.scope == claim.scope)
        .values(status=status, body=json_text(body), is_refusal=is_refusal)
    )


def _repeat(known: IdempotencyRecord, claim: Claim) -> Answer | GatewayError:
    if bytes(known.fingerprint) != claim.fingerprint:
        return IdempotencyKeyReused()
    if _is_deleted(known, clock.now()):
        return _used_long_ago()
    body = json.loads(known.body or "{}")
    if known.is_refusal:
        return refusal(**body, replayed=True)
    return Answer(body, status=known.status or 200, replayed=True)


def _is_deleted(known: IdempotencyRecord, now: datetime) -> bool:
    """By age, whether or not the sweep has come by."""
    return now - known.created_at > ANSWER_LIFE


def _used_long_ago() -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "This Idempotency-Key was used more than 24 hours ago. Nothing was done; use a new key for a new request."
    )

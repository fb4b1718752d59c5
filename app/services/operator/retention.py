"""Deletes what is not needed any more: stored answers of idempotency keys, old failed logins, merchants' old requests, and
expired tokens of applications, and webhooks and mails that were sent long ago.

Guarantees: a key that was used can never be claimed again, since its row stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock
from app.services.api_requests import read as api_requests
from app.services.idempotency_service import ANSWER_LIFE
from app.services.identity import password_attempts
from app.services.mail import retention as mail
from app.services.oauth import retention as oauth
from app.services.webhooks import retention as webhooks
from app.unit_of_work import transaction

EVERY: Final = timedelta(hours=1)

BATCH: Final = 500
"""Rows of one transaction."""

TIME_LIMIT_S: Final = 20.0
"""Longest time of one run, shorter than a job's lease; what is left is deleted by the next run, a minute later."""

log = structlog.get_logger("retention")


def sweep() -> datetime:
    """Delete in small transactions; when to run again. Nothing is deleted while ages are not known."""
    if not clock.may_judge_ages():
        return clock.now() + EVERY
    now, deadline = clock.now(), time.monotonic() + TIME_LIMIT_S

    def answers(session: Session) -> int:
        statement = text("SELECT idempotency_sweep(:before, :limit)")
        return int(session.execute(statement, {"before": now - ANSWER_LIFE, "limit": BATCH}).scalar_one())

    def attempts(session: Session) -> int:
        return password_attempts.delete_forgotten(session, now=now, limit=BATCH)

    def requests(session: Session) -> int:
        return api_requests.delete_old(session, limit=BATCH)

    def tokens(session: Session) -> int:
        return oauth.delete_tokens(session, now=now, limit=BATCH)

    def grants(session: Session) -> int:
        return oauth.delete_grants(session, now=now, limit=BATCH)

    def webhook_attempts(session: Session) -> int:
        return webhooks.delete_attempts(session, now=now, limit=BATCH)

    def webhook_deliveries(session: Session) -> int:
        return webhooks.delete_deliveries(session, now=now, limit=BATCH)

    def mails(session: Session) -> int:
        return mail.delete_sent(session, now=now, limit=BATCH)

    batches = {
        "answers": answers,
        "attempts": attempts,
        "requests": requests,
        "tokens": tokens,
        "grants": grants,
        "webhook_attempts": webhook_attempts,
        "webhook_deliveries": webhook_deliveries,
        "mails": mails,
    }
    swept = {name: _sweep(batch, deadline) for name, batch in batches.items()}
    log.info("retention.swept", **swept)
    return now + (EVERY if time.monotonic() < deadline else timedelta(minutes=1))


def _sweep(batch: Callable[[Session], int], deadline: float) -> int:
    total = 0
    while time.monotonic() < deadline:
        count = transaction(batch)
        total += count
        if count < BATCH:
            break
    return total

"""Mails as rows: queued in the transaction of what causes them.

Guarantees: a mail whose cause is rolled back is never sent; one of a kind is sent for each ref, however often it is asked for; nothing
that is put into a mail adds a header to it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import current_app
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import ids, queue
from app.models import Notification
from app.models.job import JobKind
from app.models.notification import NotificationKind, NotificationState
from app.parsing import has_control_characters, is_mail_address
from app.services.mail.message import message_id
from app.unit_of_work import reading

MAX_LISTED: Final = 500
"""Mails of one list."""


@dataclass(frozen=True, slots=True)
class Mail:
    """ref: the id of what it is about. recipient: one plain address. text, html: the two forms of the content. tenant_id: whose
    business it is about; None: the platform's."""

    kind: NotificationKind
    ref: uuid.UUID
    recipient: str
    subject: str
    text: str
    html: str
    tenant_id: uuid.UUID | None


def queue_mail(session: Session, mail: Mail, *, now: datetime) -> bool:
    """Have the mail sent when the session's transaction is committed. False: there was one of its kind and ref; nothing changed.

    Raises ValueError, without the text: the recipient is no plain address, or the subject has control characters.
    """
    if not is_mail_address(mail.recipient):
        raise ValueError("the recipient of a mail must be one plain e-mail address")
    if has_control_characters(mail.subject):
        raise ValueError("the subject of a mail must have no control characters")
    notification_id, sender = ids.uuid7(), current_app.config["MAIL_DEFAULT_SENDER"]
    added = session.execute(
        insert(Notification)
        .values(
            id=notification_id,
            tenant_id=mail.tenant_id,
            kind=mail.kind,
            ref=mail.ref,
            sender=sender,
            recipient=mail.recipient,
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            message_id=message_id(notification_id, sender),
            state=NotificationState.QUEUED,
            attempts=0,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["kind", "ref"])
        .returning(Notification.id)
    )
    if added.first() is None:
        return False
    queue.enqueue(session, JobKind.MAIL_SEND, ref=str(notification_id), run_at=now, now=now)
    return True


def find(notification_id: uuid.UUID) -> Notification | None:
    with reading() as session:
        return session.get(Notification, notification_id)


def newest(*, limit: int, state: NotificationState | None = None) -> Sequence[Notification]:
    """In this state, or in any; the newest first, at most `limit` and MAX_LISTED."""
    wanted = select(Notification).order_by(Notification.id.desc()).limit(min(limit, MAX_LISTED))
    if state is not None:
        wanted = wanted.where(Notification.state == state)
    with reading() as session:
        return session.scalars(wanted).all()

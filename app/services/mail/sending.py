"""Sends a queued mail: the job `mail.send`.

Guarantees: a mail that is marked as sent is never sent again. One that the server has accepted is marked at once; where the process dies in
between, or the server's answer is lost, the mail is sent again with the same Message-ID and the same bytes.
"""

from __future__ import annotations

import time
import uuid
from typing import Final

from flask import current_app
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import clock
from app.models import Notification
from app.models.notification import NotificationState
from app.parsing import sender_parts
from app.services.mail import notifications, smtp
from app.services.mail.message import rendered
from app.services.mail.smtp import MailNotSent
from app.unit_of_work import transaction

DEADLINE_S: Final = 30.0
"""From the job's beginning to the end of the conversation with the server: half of a job's lease (app/queue.py), in which one worker
alone sends a mail."""

NO_SERVER: Final = "MAIL_SERVER is not set"


def send(notification_id: uuid.UUID) -> None:
    """Nothing when it was sent before. Raises MailNotSent: the attempt has failed, and its row says why."""
    until = time.monotonic() + DEADLINE_S
    notification = notifications.find(notification_id)
    if notification is None or notification.state is NotificationState.SENT:
        return
    try:
        _deliver(notification, until)
    except MailNotSent as error:
        _end_attempt(notification_id, last_error=error.code)
        raise
    _end_attempt(notification_id, last_error=None, state=NotificationState.SENT, sent_at=clock.now())


def _deliver(notification: Notification, until: float) -> None:
    """Raises MailNotSent."""
    server = smtp.Server.of(current_app.config)
    if server is None:
        if current_app.config["IS_PRODUCTION"]:
            raise MailNotSent(NO_SERVER)
        return
    _, sender = sender_parts(notification.sender)
    smtp.deliver(
        server,
        rendered(notification),
        sender=sender,
        recipient=notification.recipient,
        until=until,
    )


def _end_attempt(notification_id: uuid.UUID, **values: object) -> None:
    wanted = (
        update(Notification)
        .where(Notification.id == notification_id, Notification.state == NotificationState.QUEUED)
        .values(attempts=Notification.attempts + 1, **values)
    )

    def work(session: Session) -> None:
        session.execute(wanted)

    transaction(work)

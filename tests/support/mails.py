"""Mails of tests: queued as a use case does, and sent by the jobs that are due."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock
from app.models import Notification
from app.models.notification import NotificationKind
from app.services.mail import notifications
from app.services.mail.notifications import MAX_LISTED, Mail, queue_mail
from app.unit_of_work import reading, transaction
from app.worker.runner import run_job

GUEST = "Jane.Roe@example.com"


def make_mail(**differing: Any) -> Mail:
    """A confirmation for a guest, of a booking of its own."""
    mail = Mail(
        kind=NotificationKind.BOOKING_CONFIRMATION,
        ref=uuid.uuid4(),
        recipient=GUEST,
        subject="Your booking at Café Zürich is confirmed",
        text="Dear Jänë,\n\n.a line that begins with a dot\n" + "long " * 60 + "\n",
        html="<p>Dear <b>Jänë</b></p>",
        tenant_id=None,
    )
    return replace(mail, **differing)


def queue(app: Flask, mail: Mail) -> bool:
    """Queue it in a transaction of its own; whether it is a new one."""
    with app.app_context():
        return transaction(lambda session: queue_mail(session, mail, now=clock.now()))


def run_mail_jobs(app: Flask) -> int:
    """Run every mail job that is due by `clock.now()`; how many ran."""
    due = text(
        "SELECT id FROM jobs WHERE kind = 'mail.send' AND state = 'due' AND run_at <= :now ORDER BY run_at"
    )
    with app.app_context():
        with reading() as session:
            found: list[uuid.UUID] = list(session.scalars(due, {"now": clock.now()}))
        for job_id in found:
            run_job(job_id)
    return len(found)


def run_mail_jobs_after(app: Flask, wait: timedelta) -> int:
    clock.travel(wait)
    return run_mail_jobs(app)


def mail_about(app: Flask, ref: uuid.UUID) -> Notification:
    """The one of this ref; others may be there, too."""
    with app.app_context():
        (found,) = [one for one in notifications.newest(limit=MAX_LISTED) if one.ref == ref]
    return found


def only_mail(app: Flask) -> Notification:
    """The one mail there is."""
    with app.app_context():
        (found,) = notifications.newest(limit=2)
    return found


def mail_job(app: Flask) -> Any:
    """id, state, attempts, run_at and last_error of the one mail job there is; None: there is none."""
    statement = text("SELECT id, state, attempts, run_at, last_error FROM jobs WHERE kind = 'mail.send'")
    with app.app_context(), reading() as session:
        return session.execute(statement).one_or_none()


def forget_mails(app: Flask) -> None:
    def work(session: Session) -> None:
        session.execute(text("DELETE FROM jobs WHERE kind = 'mail.send'"))
        session.execute(text("DELETE FROM notifications"))

    with app.app_context():
        transaction(work)

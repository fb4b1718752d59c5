"""A mail is queued with its cause, once for each kind and ref, and holds nothing that adds a header."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app import clock, create_app
from app.models.notification import NotificationState
from app.services.mail import retention
from app.services.mail.notifications import queue_mail
from app.services.operator import retention as sweeps
from app.unit_of_work import transaction
from tests.integration.mail.conftest import Sending
from tests.support import mails
from tests.support.concurrency import concurrently
from tests.support.demo import command, run_command
from tests.support.mails import GUEST, make_mail, only_mail, run_mail_jobs
from tests.support.smtp_server import SmtpServer


def _count(rows: Any, table: str) -> int:
    where = " WHERE kind = 'mail.send'" if table == "jobs" else ""
    found: int = rows(f"SELECT count(*) FROM {table}{where}")[0][0]
    return found


def test_a_mail_is_one_however_often_it_is_queued(server: SmtpServer, sending: Sending, rows: Any) -> None:
    app, mail = sending(server), make_mail()
    again = make_mail(ref=mail.ref, subject="Another subject", recipient="other@example.com")
    assert (mails.queue(app, mail), mails.queue(app, again)) == (True, False)
    assert only_mail(app).subject == mail.subject
    run_mail_jobs(app)
    assert mails.queue(app, again) is False
    assert run_mail_jobs(app) == 0 and len(server.accepted) == 1
    assert (_count(rows, "notifications"), _count(rows, "jobs")) == (1, 0)


def test_a_mail_is_one_when_twenty_queue_it_at_once(server: SmtpServer, sending: Sending, rows: Any) -> None:
    app, mail = sending(server), make_mail()
    assert sorted(concurrently(20, lambda _: mails.queue(app, mail))) == [False] * 19 + [True]
    assert (_count(rows, "notifications"), _count(rows, "jobs")) == (1, 1)
    run_mail_jobs(app)
    assert len(server.accepted) == 1


def test_a_mail_whose_cause_is_rolled_back_does_not_exist(
    server: SmtpServer, sending: Sending, rows: Any
) -> None:
    app = sending(server)

    def fail(session: Session) -> None:
        assert queue_mail(session, make_mail(), now=clock.now())
        raise RuntimeError("the cause fails")

    with app.app_context(), pytest.raises(RuntimeError):
        transaction(fail)
    assert (_count(rows, "notifications"), _count(rows, "jobs")) == (0, 0)
    assert run_mail_jobs(app) == 0 and server.accepted == []


BREAKS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\x1b", "\x7f"]


@pytest.mark.parametrize("separator", BREAKS)
@pytest.mark.parametrize("field", ["subject", "recipient"])
def test_no_header_can_be_added_by_what_is_queued(app: Flask, rows: Any, separator: str, field: str) -> None:
    value = f"{GUEST}{separator}Bcc: eve@example.com"
    with pytest.raises(ValueError, match=f"the {field} of a mail") as caught:
        mails.queue(app, make_mail(**{field: value}))
    assert GUEST not in str(caught.value)
    assert _count(rows, "notifications") == 0


@pytest.mark.parametrize(
    "recipient",
    ["", "jane", "jane@example.com,eve@example.com", "Jane <jane@example.com>", " jane@example.com", '"a b"@example.com', "jäne@example.com"],
)  # fmt: skip
def test_a_recipient_is_one_plain_address(app: Flask, recipient: str) -> None:
    with pytest.raises(ValueError, match="one plain e-mail address"):
        mails.queue(app, make_mail(recipient=recipient))


def test_the_sender_is_the_setting_of_the_moment(app: Flask, settings: dict[str, str]) -> None:
    mails.queue(app, make_mail())
    assert only_mail(app).sender == "noreply@travelapp.com"
    assert only_mail(app).message_id.endswith("@travelapp.com>")


def test_without_a_server_mails_are_kept(app: Flask) -> None:
    """In demo and test mode."""
    mails.queue(app, make_mail())
    assert run_mail_jobs(app) == 1
    row = only_mail(app)
    assert (row.state, row.attempts) == (NotificationState.SENT, 1) and row.sent_at is not None


def test_in_production_mails_wait_for_a_server(
    settings: dict[str, str], server: SmtpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    production = settings | {"GATEWAY_ENV": "production"}
    app = create_app(production)
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    row = only_mail(app)
    assert (row.state, row.last_error) == (NotificationState.QUEUED, "MAIL_SERVER is not set")
    assert "MAIL_SERVER is not set" in capsys.readouterr().err
    with_server = create_app(production | server.settings)
    assert mails.run_mail_jobs_after(with_server, timedelta(seconds=6)) == 1
    assert len(server.accepted) == 1 and only_mail(app).state is NotificationState.SENT


def test_mails_are_listed_without_their_recipients(app: Flask, sending: Sending, server: SmtpServer) -> None:
    refusing = sending(server)
    server.refuse("RCPT", "550 no")
    mails.queue(refusing, make_mail())
    run_mail_jobs(refusing)
    second = make_mail(tenant_id=uuid.uuid4())
    mails.queue(app, second)
    listed = run_command(app, "mails", "list").splitlines()
    assert len(listed) == 3 and listed[-1] == "2 mails."
    assert f"booking.confirmation {second.ref}" in listed[0] and "queued  attempts 0" in listed[0]
    assert "queued  attempts 1  SMTPRecipientsRefused 550" in listed[1]
    assert GUEST not in "".join(listed) and "Jane*" in listed[0]
    assert run_command(app, "mails", "list", "--limit", "1").startswith(listed[0])
    assert run_command(app, "mails", "list", "--state", "sent") == "0 mails.\n"
    assert command(app, "mails", "list", "--state", "lost").exit_code == 2


def test_sent_mails_are_kept_for_ninety_days_and_others_until_they_are_sent(app: Flask, rows: Any) -> None:
    def sweep_after(age: timedelta) -> int:
        clock.travel(age)
        with app.app_context():
            sweeps.sweep()
        return _count(rows, "notifications")

    assert timedelta(days=90) == retention.KEPT
    mails.queue(app, make_mail())
    clock.travel(timedelta(days=1))
    run_mail_jobs(app)
    mails.queue(app, make_mail())
    assert sweep_after(retention.KEPT - timedelta(minutes=5)) == 2
    assert sweep_after(timedelta(minutes=10)) == 1
    assert only_mail(app).state is NotificationState.QUEUED

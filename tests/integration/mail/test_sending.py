"""Mails reach a real SMTP server: once when all is well, again after a failure, with the same bytes each time."""

from __future__ import annotations

import uuid
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from flask import Flask

from app import queue
from app.models.job import JobKind
from app.models.notification import NotificationState
from app.services.mail import sending as job
from app.worker.kinds import HANDLERS
from tests.integration.mail.conftest import Sending
from tests.support import mails
from tests.support.concurrency import concurrently
from tests.support.demo import run_command
from tests.support.mails import GUEST, make_mail, only_mail, run_mail_jobs, run_mail_jobs_after
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import wait_until

SECONDS = timedelta(seconds=1)
SENDER = "Hôtel, Desk <desk@hotel.example>"


def test_a_mail_is_sent_once_as_text_and_html(server: SmtpServer, sending: Sending) -> None:
    app, mail = sending(server, MAIL_DEFAULT_SENDER=SENDER), make_mail()
    assert mails.queue(app, mail)
    assert (run_mail_jobs(app), run_mail_jobs(app)) == (1, 0)
    (accepted,) = server.accepted
    assert (accepted.sender, accepted.recipients) == ("desk@hotel.example", [GUEST])
    message, row = accepted.message, only_mail(app)
    assert message["To"] == GUEST and message["Subject"] == mail.subject
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Hôtel, Desk", "desk@hotel.example")
    assert message["Message-ID"] == row.message_id == f"<{row.id.hex}@hotel.example>"
    assert parsedate_to_datetime(message["Date"]) == row.created_at.replace(microsecond=0)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative" and not message.defects
    plain, html = message.iter_parts()
    assert (
        plain.get_content().splitlines() == mail.text.splitlines()
        and plain.get_content_type() == "text/plain"
    )
    assert html.get_content().strip() == mail.html and html.get_content_type() == "text/html"
    assert {part.get_content_charset() for part in (plain, html)} == {"utf-8"}
    assert accepted.content.isascii() and max(map(len, accepted.content.split(b"\r\n"))) <= 998
    assert (row.state, row.attempts, row.last_error) == (NotificationState.SENT, 1, None)
    assert row.sent_at is not None and mails.mail_job(app) is None


@pytest.mark.parametrize(
    ("command", "reply", "error"),
    [
        ("DATA", "451 greylisted", "SMTPDataError 451"),
        ("RCPT", "550 no mailbox Jane.Roe@example.com", "SMTPRecipientsRefused 550"),
        ("MAIL", "553 no such sender", "SMTPSenderRefused 553"),
    ],
)
def test_a_refused_mail_is_tried_again(
    server: SmtpServer,
    sending: Sending,
    capsys: pytest.CaptureFixture[str],
    command: str,
    reply: str,
    error: str,
) -> None:
    app = sending(server)
    server.refuse(command, reply, reply)
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    row, waiting = only_mail(app), mails.mail_job(app)
    assert (row.state, row.attempts, row.last_error) == (NotificationState.QUEUED, 1, error)
    assert (waiting.state, waiting.attempts, waiting.last_error) == ("due", 1, "MailNotSent")
    assert run_mail_jobs_after(app, 4 * SECONDS) == 0
    assert run_mail_jobs_after(app, 2 * SECONDS) == 1
    assert run_mail_jobs_after(app, 16 * SECONDS) == 1
    row = only_mail(app)
    assert (row.state, row.attempts, row.last_error) == (NotificationState.SENT, 3, None)
    assert len(server.accepted) == 1
    logged = capsys.readouterr().err
    assert logged.count("job.failed") == 2 and error in logged
    assert GUEST not in logged and "greylisted" not in logged and "Traceback" not in logged


def test_a_server_that_is_away_gets_its_mails_when_it_is_back(sending: Sending) -> None:
    with SmtpServer() as earlier:
        app = sending(earlier)
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    assert only_mail(app).last_error == "ConnectionRefusedError"
    with SmtpServer(port=earlier.port) as server:
        assert run_mail_jobs_after(app, 6 * SECONDS) == 1
        assert len(server.accepted) == 1
    assert only_mail(app).state is NotificationState.SENT


def test_a_mail_whose_acceptance_is_lost_is_repeated_as_it_was(server: SmtpServer, sending: Sending) -> None:
    app = sending(server)
    server.drop_after_data()
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    row = only_mail(app)
    assert (row.state, row.last_error) == (NotificationState.QUEUED, "SMTPServerDisconnected")
    # What the settings say meanwhile changes nothing.
    other = sending(server, MAIL_DEFAULT_SENDER="other@example.com")
    assert run_mail_jobs_after(other, 6 * SECONDS) == 1
    first, second = server.accepted
    assert first == second and first.message["Message-ID"] == row.message_id
    assert only_mail(app).state is NotificationState.SENT


def test_a_process_that_ends_after_the_acceptance_repeats_the_mail_as_it_was(
    server: SmtpServer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ends, and the next worker sends it: the row says that it was not sent."""
    app = sending(server)
    mails.queue(app, make_mail())

    class Killed(BaseException):
        """Ends the process: no code of the job's runner sees it."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patching:
        patching.setattr(job, "_end_attempt", die)
        with pytest.raises(Killed):
            run_mail_jobs(app)
    run_mail_jobs(app)
    assert len(server.accepted) == 1
    run_mail_jobs_after(app, queue.LEASE + SECONDS)
    first, second = server.accepted
    assert first == second and only_mail(app).state is NotificationState.SENT


def test_the_deadline_leaves_a_lease_to_one_worker() -> None:
    assert queue.LEASE.total_seconds() / 2 >= job.DEADLINE_S


def test_workers_at_the_same_time_send_a_mail_once(server: SmtpServer, sending: Sending) -> None:
    app = sending(server)
    mails.queue(app, make_mail())
    concurrently(8, lambda _: run_mail_jobs(app))
    assert len(server.accepted) == 1


def test_a_mail_that_was_sent_is_not_sent_again(server: SmtpServer, sending: Sending) -> None:
    app = sending(server)
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    row = only_mail(app)
    with app.app_context():
        job.send(row.id)
        job.send(uuid.uuid4())  # deleted meanwhile
    assert len(server.accepted) == 1 and only_mail(app).sent_at == row.sent_at


def test_a_late_failure_does_not_undo_that_it_was_sent(
    server: SmtpServer, sending: Sending, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when a worker whose lease is over overwrites what the next one has written."""
    monkeypatch.setattr(job, "DEADLINE_S", 1.0)
    failing = sending(server)
    server.hang()
    mails.queue(failing, make_mail())

    def send(number: int) -> None:
        if number == 0:
            run_mail_jobs(failing)
            return
        wait_until(lambda: "RCPT" in server.commands, "the first worker sends")
        with app.app_context():
            job.send(only_mail(app).id)  # kept, for there is no server

    concurrently(2, send)
    row = only_mail(app)
    assert (row.state, row.attempts, row.last_error) == (NotificationState.SENT, 1, None)


def test_attempts_go_on_for_three_days_and_an_operator_begins_them_again(
    server: SmtpServer, sending: Sending
) -> None:
    waits = HANDLERS[JobKind.MAIL_SEND].retries
    assert waits[:6] == (5, 15, 60, 300, 900, 3600) and set(waits[5:]) == {3600}
    assert timedelta(days=3) < timedelta(seconds=sum(waits)) < timedelta(days=3, hours=1)
    app = sending(server)
    server.refuse("DATA", *["451 later"] * (len(waits) + 1))
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    for wait in waits:
        assert run_mail_jobs_after(app, timedelta(seconds=wait + 1)) == 1
    assert mails.mail_job(app).state == "dead"
    assert run_mail_jobs_after(app, timedelta(hours=2)) == 0
    assert "due" in run_command(app, "jobs", "replay", str(mails.mail_job(app).id))
    assert run_mail_jobs(app) == 1
    assert only_mail(app).state is NotificationState.SENT

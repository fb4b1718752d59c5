"""A mail server that hangs, at any point of the conversation, is left at the deadline."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import pytest

from app import create_app
from app.models.notification import NotificationState
from app.services.mail import sending as job
from tests.integration.mail.conftest import Sending
from tests.support import mails
from tests.support.mails import make_mail, only_mail, run_mail_jobs, run_mail_jobs_after
from tests.support.smtp_server import SmtpServer

SECONDS = timedelta(seconds=1)


@contextmanager
def _talking(talk: Callable[[socket.socket], None]) -> Iterator[dict[str, str]]:
    """A server that says what `talk` says; the settings of a gateway that sends to it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connected, _ = listening.accept()
            with connected:
                talk(connected)
        except OSError:
            return  # the other side, or the test, has ended

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(listening.getsockname()[1])}
    finally:
        listening.close()
        thread.join(5)


def _drip(connected: socket.socket) -> None:
    connected.sendall(b"2")
    while True:
        time.sleep(0.05)
        connected.sendall(b"2")


def _never_ends_its_greeting(connected: socket.socket) -> None:
    while True:
        connected.sendall(b"220-welcome\r\n")
        time.sleep(0.05)


def _says_nothing(connected: socket.socket) -> None:
    while connected.recv(4096):
        continue


def _converse(connected: socket.socket, *, until: bytes) -> None:
    """Answer commands as a server does, but not `until`."""
    connected.sendall(b"220 smtp.test\r\n")
    lines = connected.makefile("rb")
    with lines:
        for line in lines:
            command = line.split()[0].upper()
            if command == until:
                break
            if command == b"EHLO":
                connected.sendall(b"250-smtp.test\r\n250 STARTTLS\r\n")
            elif command == b"STARTTLS":
                connected.sendall(b"220 go on\r\n")
                break
            elif command == b"DATA":
                connected.sendall(b"354 go on\r\n")
                while lines.readline() != b".\r\n":
                    continue
                connected.sendall(b"250 accepted\r\n")
            else:
                connected.sendall(b"250 ok\r\n")
        lines.read()


def _hangs_at_quit(connected: socket.socket) -> None:
    _converse(connected, until=b"QUIT")


def _hangs_in_the_handshake(connected: socket.socket) -> None:
    _converse(connected, until=b"")


@pytest.mark.parametrize(
    ("talk", "more"),
    [
        (_drip, {}),
        (_never_ends_its_greeting, {}),
        (_says_nothing, {}),
        (_says_nothing, {"MAIL_USE_SSL": "true"}),
        (_hangs_in_the_handshake, {"MAIL_USE_TLS": "true"}),
    ],
    ids=["drips", "endless greeting", "silent", "silent TLS", "silent STARTTLS"],
)
def test_a_server_that_hangs_is_left_at_the_deadline(
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    talk: Callable[[socket.socket], None],
    more: dict[str, str],
) -> None:
    monkeypatch.setattr(job, "DEADLINE_S", 0.5)
    with _talking(talk) as server:
        app = create_app(settings | server | more)
        mails.queue(app, make_mail())
        began = time.monotonic()
        run_mail_jobs(app)
        assert 0.4 < time.monotonic() - began < 3
    assert only_mail(app).last_error == "TimeoutError"


def test_a_server_that_hangs_with_the_mail_is_left_and_gets_it_later(
    server: SmtpServer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "DEADLINE_S", 0.5)
    app = sending(server)
    server.hang()
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    assert only_mail(app).last_error == "TimeoutError" and server.accepted == []
    server.hang(False)
    run_mail_jobs_after(app, 6 * SECONDS)
    assert only_mail(app).state is NotificationState.SENT


def test_a_mail_that_is_accepted_is_sent_whatever_follows(settings: dict[str, str]) -> None:
    with _talking(_hangs_at_quit) as server:
        app = create_app(settings | server)
        mails.queue(app, make_mail())
        began = time.monotonic()
        run_mail_jobs(app)
        assert time.monotonic() - began < 5
    assert only_mail(app).state is NotificationState.SENT

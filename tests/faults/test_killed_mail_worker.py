"""kill -9 of the worker while it sends a mail: real processes, a real SMTP server.

Seen failing when the row is marked as sent before the server has accepted the mail (none arrives), and when a repeat gets a new
Message-ID.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app import clock, create_app
from app.models.notification import NotificationKind
from app.services.mail.notifications import Mail, queue_mail
from app.unit_of_work import transaction
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import servers
from tests.support.invariants import query
from tests.support.smtp_server import SmtpServer
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_until

END_LEASES = "UPDATE jobs SET leased_until = clock_timestamp() WHERE leased_until > clock_timestamp()"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as listening:
        yield listening


@pytest.fixture
def settings_with_mail(server: SmtpServer, own_redis: EmbeddedRedis, tmp_path: Path) -> dict[str, str]:
    postgres, database = servers.postgres(), servers.new_database()
    return servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        own_redis.url(9),
        var_dir=tmp_path / "files",
        LOG_LEVEL="ERROR",
        **server.settings,
    )


@pytest.fixture
def sender(settings_with_mail: dict[str, str]) -> Flask:
    return create_app(settings_with_mail | {"LOG_LEVEL": "WARNING"})


@pytest.fixture
def stack(settings_with_mail: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    with running_stack(settings_with_mail, tmp_path, processes=("relay", "worker")) as running:
        yield running


def kill_while_sending(stack: Stack, sender: Flask, is_sending: Callable[[], bool]) -> None:
    """Queue a mail, kill the worker at that moment, and start it again when the lease of its job is over."""
    mail = Mail(
        kind=NotificationKind.BOOKING_CONFIRMATION,
        ref=uuid.uuid4(),
        recipient="guest@example.com",
        subject="Payment Confirmation",
        text="Paid.",
        html="<p>Paid.</p>",
        tenant_id=None,
    )
    with sender.app_context():
        assert transaction(lambda session: queue_mail(session, mail, now=clock.now()))
    wait_until(is_sending, "the worker is sending")
    # A new relay hands the job over at once; one that has done so waits before it does it again.
    for name in ("worker", "relay"):
        stack.kill(name)
    with sender.app_context():
        transaction(lambda session: session.execute(text(END_LEASES)))
    stack.start("worker", "relay")


def wait_until_sent(sender: Flask) -> None:
    wait_until(lambda: query(sender, "SELECT state FROM notifications") == [("sent",)], "it is sent")


def test_before_the_server_has_accepted(stack: Stack, sender: Flask, server: SmtpServer) -> None:
    server.hang()
    kill_while_sending(stack, sender, lambda: "RCPT" in server.commands)
    server.hang(is_hanging=False)
    wait_until_sent(sender)
    assert len(server.accepted) == 1


def test_after_the_server_has_accepted(stack: Stack, sender: Flask, server: SmtpServer) -> None:
    """The mail comes twice, and is the same: a mail program shows it once."""
    server.hold_answers()
    kill_while_sending(stack, sender, lambda: bool(server.accepted))
    server.hold_answers(is_holding=False)
    wait_until_sent(sender)
    first, second = server.accepted
    assert first.message["Message-ID"] and first == second

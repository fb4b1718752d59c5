"""Where encryption is set, nothing is sent without it; a password is sent to the right server alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.models.notification import NotificationState
from tests.integration.mail.conftest import Sending
from tests.support import mails
from tests.support.mails import make_mail, only_mail, run_mail_jobs
from tests.support.smtp_server import SmtpServer, make_certificate

NAME, PASSWORD = "malipo", "Zx8-smtp-Word-71"
SIGN_IN = {"MAIL_USERNAME": NAME, "MAIL_PASSWORD": PASSWORD}
USERS = {NAME: PASSWORD}


@pytest.fixture(params=[False, True], ids=["STARTTLS", "TLS"])
def is_tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def _send(app: Flask) -> str | None:
    """Queue a mail and try to send it; what went wrong."""
    mails.queue(app, make_mail())
    run_mail_jobs(app)
    row = only_mail(app)
    assert (row.state is NotificationState.SENT) == (row.last_error is None)
    return row.last_error


def test_a_mail_is_sent_encrypted_after_signing_in(
    sending: Sending, certificate: Path, is_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with SmtpServer(users=USERS, certificate=certificate, is_tls=is_tls) as server:
        assert _send(sending(server, **SIGN_IN)) is None
    assert server.signed_in == [(NAME, PASSWORD)] and len(server.accepted) == 1


def test_a_server_without_a_trusted_certificate_gets_no_password_and_no_mail(
    sending: Sending, certificate: Path, is_tls: bool
) -> None:
    with SmtpServer(users=USERS, certificate=certificate, is_tls=is_tls) as server:
        assert _send(sending(server, **SIGN_IN)) == "SSLCertVerificationError"
    assert (server.signed_in, server.commands, server.accepted) == ([], [], [])


def test_a_certificate_must_be_the_servers(
    sending: Sending, tmp_path: Path, is_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another = make_certificate(tmp_path / "other.pem", "127.0.0.2")
    monkeypatch.setenv("SSL_CERT_FILE", str(of_another))
    with SmtpServer(users=USERS, certificate=of_another, is_tls=is_tls) as server:
        assert _send(sending(server, **SIGN_IN)) == "SSLCertVerificationError"
    assert (server.signed_in, server.commands, server.accepted) == ([], [], [])


def test_a_server_that_offers_no_starttls_gets_no_password_and_no_mail(sending: Sending) -> None:
    with SmtpServer(users=USERS) as server:
        assert _send(sending(server, MAIL_USE_TLS="true", **SIGN_IN)) == "SMTPNotSupportedError"
    assert (server.signed_in, server.commands, server.accepted) == ([], [], [])


def test_a_refused_password_is_in_no_log(
    sending: Sending, certificate: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with SmtpServer(users={NAME: "another"}, certificate=certificate) as server:
        assert _send(sending(server, **SIGN_IN)) == "SMTPAuthenticationError 535"
    assert server.accepted == [] and server.commands == []
    printed = capsys.readouterr()
    assert "SMTPAuthenticationError 535" in printed.err and PASSWORD not in printed.err + printed.out

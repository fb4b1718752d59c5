"""The demo's mailbox: what was sent, safely shown; in no other mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from launcher.embedded import EmbeddedRedis
from tests.support import mails
from tests.support.browser import faults_in
from tests.support.demo import new_settings
from tests.support.mails import GUEST, make_mail, only_mail, run_mail_jobs
from tests.support.smtp_server import SmtpServer

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"
PATHS = (
    "/dev/mailbox",
    "/dev/mailbox?format=json",
    "/dev/mailbox/01a22f08-86e2-7458-9f14-d87a5e7a815f",
)


@pytest.fixture
def demo(redis_server: EmbeddedRedis, tmp_path: Path) -> Flask:
    return create_app(new_settings(redis_server, tmp_path))


@pytest.fixture
def reader(demo: Flask) -> Iterator[FlaskClient]:
    with demo.test_client() as client:
        yield client


def test_mails_are_shown_newest_first(demo: Flask, reader: FlaskClient) -> None:
    assert "There is no mail yet." in reader.get("/dev/mailbox").get_data(as_text=True)
    assert reader.get("/dev/mailbox?format=json").get_json() == []
    for number in range(51):
        mails.queue(demo, make_mail(subject=f"Mail {number}"))
    run_mail_jobs(demo)
    page = reader.get("/dev/mailbox")
    assert page.status_code == 200 and page.mimetype == "text/html"
    words = page.get_data(as_text=True)
    assert re.findall(r"<h2>Mail (\d+)</h2>", words) == [str(number) for number in range(50, 0, -1)]
    assert words.count("<dd>sent</dd>") == 50 and GUEST in words and "Dear Jänë," in words
    listed = reader.get("/dev/mailbox?format=json")
    assert listed.mimetype == "application/json" and len(listed.get_json()) == 50
    newest = listed.get_json()[0]
    assert list(newest) == ["id", "from", "to", "subject", "text"]
    assert (newest["from"], newest["to"], newest["subject"]) == ("noreply@travelapp.com", GUEST, "Mail 50")
    assert newest["text"] == make_mail().text and f'href="/dev/mailbox/{newest["id"]}"' in words


def test_a_mail_that_was_not_sent_is_shown_as_queued(demo: Flask, reader: FlaskClient) -> None:
    mails.queue(demo, make_mail())
    assert "<dd>queued</dd>" in reader.get("/dev/mailbox").get_data(as_text=True)


def test_with_a_server_mails_are_sent_and_shown(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    with SmtpServer() as server:
        demo = create_app(new_settings(redis_server, tmp_path, **server.settings))
        mails.queue(demo, make_mail())
        run_mail_jobs(demo)
        assert len(server.accepted) == 1
    assert len(demo.test_client().get("/dev/mailbox?format=json").get_json()) == 1


def test_what_mails_hold_is_escaped(demo: Flask, reader: FlaskClient) -> None:
    mails.queue(demo, make_mail(subject=HOSTILE, text=HOSTILE))
    page = reader.get("/dev/mailbox")
    words = page.get_data(as_text=True)
    assert faults_in(words) == [] and "<img" not in words and "<script" not in words
    assert words.count("&lt;script&gt;") == 2
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';") and "unsafe" not in policy
    (style,) = re.findall(r'rel="stylesheet" href="([^"]+)"', words)
    answer = reader.get(style)
    assert answer.status_code == 200 and answer.mimetype == "text/css" and b"url(" not in answer.data


def test_a_mails_html_is_shown_in_a_sandbox(demo: Flask, reader: FlaskClient) -> None:
    mails.queue(demo, make_mail(html=f"<p>{HOSTILE}</p>"))
    page = reader.get(f"/dev/mailbox/{only_mail(demo).id}")
    assert page.get_data(as_text=True) == f"<p>{HOSTILE}</p>" and page.mimetype == "text/html"
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    )
    assert page.headers["X-Frame-Options"] == "DENY" and page.headers["Cache-Control"] == "no-store"
    assert reader.get("/dev/mailbox/01a22f08-86e2-7458-9f14-d87a5e7a815f").status_code == 404


@pytest.mark.parametrize("mode", ["test", "production"])
@pytest.mark.parametrize("path", PATHS)
def test_there_is_no_mailbox_in_other_modes(settings: dict[str, str], mode: str, path: str) -> None:
    """It answers as a path that does not exist."""
    app = create_app(settings | {"GATEWAY_ENV": mode})
    mails.queue(app, make_mail())
    client = app.test_client()
    answer, unknown = client.get(path), client.get("/dev/nothing")
    assert answer.status_code == unknown.status_code == 404
    assert answer.get_json() == unknown.get_json()
    assert GUEST not in answer.get_data(as_text=True)
    mails.forget_mails(app)

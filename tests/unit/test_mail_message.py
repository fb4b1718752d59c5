"""The bytes of a mail: what was put in is what a reader shows, and never a header or a part more."""

from __future__ import annotations

import email
import email.policy
import string
import uuid
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Notification
from app.parsing import has_control_characters, sender_parts
from app.services.mail.message import message_id, rendered

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "MIME-Version"]
LONG_DOMAIN = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.example"
INJECTING = "=?utf-8?q?x=0d=0aBcc=3A_eve=40example.com=0d=0a=0d=0aBody?="


def _notification(**differing: str) -> Notification:
    id, sender = uuid.uuid4(), differing.get("sender", "noreply@example.com")
    values = {"recipient": "jane@example.com", "subject": "Hello", "text": "Text", "html": "<p>Text</p>"}
    return Notification(
        id=id,
        created_at=datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
        message_id=message_id(id, sender),
        **(values | {"sender": sender} | differing),
    )


def _read(notification: Notification) -> EmailMessage:
    """As a mail program reads it, which must find exactly the headers and parts there should be."""
    content = rendered(notification)
    assert rendered(notification) == content
    assert content.isascii() and b"\n" not in content.replace(b"\r\n", b"")
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert sorted(message.keys()) == sorted(HEADERS) and not message.defects
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["Message-ID"] == notification.message_id
    assert max(len(line) for line in content.split(b"\r\n")) <= 998
    return message


@pytest.mark.parametrize(
    "subject",
    ["", "Hello", "x" * 300, "word " * 60 + "end", "é" * 200, "日本 語" * 60, " a  b ", "=?utf-8?q?x?=", INJECTING, "👩\u200d👧", "a: b"],
)  # fmt: skip
def test_a_subject_is_shown_as_it_is(subject: str) -> None:
    assert _read(_notification(subject=subject))["Subject"] == subject


@pytest.mark.parametrize(
    "sender",
    [
        "noreply@example.com",
        f"noreply@{LONG_DOMAIN}",
        "Malipo <noreply@example.com>",
        '"Malipo, Inc. (Kenya) @ x; y: z" <noreply@example.com>',
        "Zoë, <noreply@example.com>",
        "Zoë " * 30 + "<noreply@example.com>",
        f"{INJECTING} <noreply@example.com>",
    ],
)
def test_a_sender_is_shown_as_it_is(sender: str) -> None:
    (found,) = _read(_notification(sender=sender))["From"].addresses
    name, address = sender_parts(sender)
    assert found.addr_spec == address
    assert found.display_name.replace(" ", "") == name.replace(" ", "")


NOT_IN_NAMES = '<>"\\'
HEADER_TEXT = st.text(st.characters(codec="utf-8")).filter(lambda text: not has_control_characters(text))


@given(
    subject=HEADER_TEXT,
    name=HEADER_TEXT,
    text=st.text(st.characters(codec="utf-8")),
    html=st.text(string.printable),
)
def test_nothing_that_is_put_in_adds_a_header_or_a_part(
    subject: str, name: str, text: str, html: str
) -> None:
    written = "".join(one for one in name if one not in NOT_IN_NAMES).strip()
    _read(
        _notification(
            sender=f"{written} <noreply@example.com>".strip(), subject=subject, text=text, html=html
        )
    )

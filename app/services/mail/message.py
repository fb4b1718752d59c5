"""A mail as it is sent: made from its row alone, the same bytes each time."""

from __future__ import annotations

import uuid
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from app.models import Notification
from app.parsing import sender_parts

PLAIN_LENGTH: Final = 60
"""Characters: with its header's name it is one line, which has 78 at most."""


def message_id(notification_id: uuid.UUID, sender: str) -> str:
    """Its Message-ID, with angle brackets. Raises ValueError: no sender."""
    _, address = sender_parts(sender)
    return f"<{notification_id.hex}@{address.rpartition('@')[2]}>"


def rendered(notification: Notification) -> bytes:
    """RFC 5322, ASCII, lines that end in CRLF: multipart/alternative of the text and the HTML, both UTF-8."""
    name, address = sender_parts(notification.sender)
    # Written here and not by EmailMessage, which decodes an encoded word (RFC 2047) that a text has, and with it line ends
    # that add headers.
    headers = {
        "From": f"{_phrase('From', name)} <{address}>" if name else address,
        "To": notification.recipient,
        "Subject": _text("Subject", notification.subject),
        "Date": format_datetime(notification.created_at),
        "Message-ID": notification.message_id,
        "Auto-Submitted": "auto-generated",  # RFC 3834: out-of-office replies to it are not wanted
    }
    content = EmailMessage(policy=SMTP)
    content.set_content(notification.text, cte="quoted-printable")
    content.add_alternative(notification.html, subtype="html", cte="quoted-printable")
    # By default it is random. Neither part can have it: "=_" does not occur in quoted-printable.
    content.set_boundary(f"=_{notification.id.hex}")
    lines = (f"{header}: {value}\r\n" for header, value in headers.items())
    return "".join(lines).encode("ascii") + content.as_bytes()


def _phrase(header: str, text: str) -> str:
    """`text`, which has no quotes and no backslashes, as a header's phrase (RFC 5322, 3.2.5)."""
    return f'"{text}"' if _is_plain(text) else _encoded(header, text)


def _text(header: str, text: str) -> str:
    """`text` as the value of a header without structure."""
    return text if _is_plain(text) else _encoded(header, text)


def _encoded(header: str, text: str) -> str:
    """Encoded words (RFC 2047), in as many lines as they need."""
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    """Whether readers show it as it is written: short, ASCII, no encoded word, and no spaces that they may join."""
    is_ascii = text.isascii() and "=?" not in text
    return is_ascii and len(text) <= PLAIN_LENGTH and text == " ".join(text.split())

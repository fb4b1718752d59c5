"""A mail as it is sent: made from its row alone, the same bytes each time."""

from __future__ import annotations

import uuid
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from app.models import Notification
from app.parsing import sender_parts


def message_id(notification_id: uuid.UUID, sender: str) -> str:
    """Its Message-ID, with angle brackets. Raises ValueError: no sender."""
    return f"<{notification_id.hex}@{domain_of(sender)}>"


def domain_of(sender: str) -> str:
    """The domain of the sender's address. Raises ValueError: no sender."""
    _, address = sender_parts(sender)
    return address.rpartition("@")[2]


def rendered(notification: Notification) -> bytes:
    """RFC 5322, ASCII, lines that end in CRLF: multipart/alternative of the text and the HTML, both UTF-8."""
    name, address = sender_parts(notification.sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=name, addr_spec=address)
    message["To"] = Address(addr_spec=notification.recipient)
    message["Subject"] = notification.subject
    message["Date"] = format_datetime(notification.created_at)
    message["Message-ID"] = notification.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office replies to it are not wanted
    message.set_content(notification.text, cte="quoted-printable")
    message.add_alternative(notification.html, subtype="html", cte="quoted-printable")
    # By default it is random. Neither part can have it: "=_" does not occur in quoted-printable.
    message.set_boundary(f"=_{notification.id.hex}")
    return message.as_bytes()

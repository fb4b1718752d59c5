"""Whether two users are one person, as far as their e-mail addresses show it."""

from __future__ import annotations

import unicodedata
import uuid
from typing import Final

from sqlalchemy import select

from app.models.user import User
from app.unit_of_work import reading

_IGNORES_DOTS: Final = frozenset({"gmail.com", "googlemail.com"})


def is_same_person(one: uuid.UUID, other: uuid.UUID) -> bool:
    """The same user, or users whose addresses are one mailbox: `mary+2@example.com` is delivered to `mary@example.com`."""
    if one == other:
        return True
    with reading() as session:
        emails = session.scalars(select(User.email).where(User.id.in_([one, other]))).all()
    return len({mailbox(email) for email in emails}) < len(emails)


def mailbox(email: str) -> str:
    """The mailbox that an address is delivered to: without a tag, and at Google without dots."""
    local, _, domain = unicodedata.normalize("NFKC", email).lower().rpartition("@")
    local = local.partition("+")[0]
    if domain in _IGNORES_DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"

"""E-mail addresses: one spelling each, since payments find their recipient by it."""

from __future__ import annotations

from typing import Final

from app.errors import InvalidRequest
from app.parsing import MAX_MAIL_ADDRESS, is_mail_address

MAX_LENGTH: Final = MAX_MAIL_ADDRESS


def normal(text: str) -> str:
    """`text` trimmed and in lower case. Raises InvalidRequest when it is no e-mail address."""
    email = text.strip().lower()
    # ASCII is asked of the text as it came: the Kelvin sign, for one, has an ASCII lower case.
    if not text.isascii() or not is_mail_address(email):
        raise InvalidRequest("This is not a valid e-mail address.", field="email")
    return email

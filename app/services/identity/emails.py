"""E-mail addresses: one spelling each, since payments find their recipient by it."""

from __future__ import annotations

import re
from typing import Final

from app.errors import InvalidRequest

MAX_LENGTH: Final = 254
"""Characters (RFC 5321, with the errata)."""

# ASCII only: the database compares byte by byte, and look-alike letters must not make a second address.
# International domains come in their xn-- form.
_LOCAL: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(rf"{_LOCAL}@(?:{_LABEL}\.)+{_LABEL}")
_MAX_LOCAL: Final = 64


def normal(text: str) -> str:
    """`text` trimmed and in lower case. Raises InvalidRequest when it is no e-mail address."""
    email = text.strip().lower()
    local = email.partition("@")[0]
    # ASCII is asked of the text as it came: the Kelvin sign, for one, has an ASCII lower case.
    is_sane = text.isascii() and len(email) <= MAX_LENGTH and len(local) <= _MAX_LOCAL
    if not is_sane or not _ADDRESS.fullmatch(email):
        raise InvalidRequest("This is not a valid e-mail address.", field="email")
    return email

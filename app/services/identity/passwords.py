"""Passwords: what is strong enough, and argon2id hashes of them."""

from __future__ import annotations

import unicodedata
from functools import cache
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import InvalidRequest, WeakPassword

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256
"""Characters. The maximum only bounds the work of one request."""

UNUSABLE: Final = "!"
"""In place of a hash: no password is right."""

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane. About 20 ms of one core.
_HASHER: Final = PasswordHasher(
    time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)

_SLOTS: Final = BoundedSemaphore(8)
"""Hashes at once in a process: a flood of logins costs at most 8 × 19 MiB."""


def check_strength(password: str, *, field: str = "password") -> None:
    """`field`: where it was sent. Raises WeakPassword (at least 8 characters with an upper-case and a lower-case letter, a digit and a special character), InvalidRequest when too long."""
    if len(password) > MAX_LENGTH:
        raise InvalidRequest(f"A password has at most {MAX_LENGTH} characters.", field=field)
    kinds = (str.isupper, str.islower, str.isdigit, _is_special)
    if len(password) < MIN_LENGTH or not all(any(map(kind, password)) for kind in kinds):
        raise WeakPassword(field=field)


def _is_special(character: str) -> bool:
    return not character.isalnum() and not character.isspace()


def hash_password(password: str) -> str:
    """The argon2id hash with its parameters and salt, as one text."""
    with _SLOTS:
        return _HASHER.hash(_canonical(password))


def is_correct(password: str, password_hash: str | None) -> bool:
    """Whether `password` made `password_hash`. None (no such user) takes as long as a wrong password and is False."""
    with _SLOTS:
        try:
            _HASHER.verify(password_hash or _dummy_hash(), _canonical(password))
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other parameters than today's, so that it should be made again at this login."""
    return _HASHER.check_needs_rehash(password_hash)


def _canonical(password: str) -> str:
    # The same password typed on another system may arrive composed differently (NIST SP 800-63B, 5.1.1.2).
    return unicodedata.normalize("NFKC", password)


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("no such user")

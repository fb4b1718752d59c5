"""Data at rest: authenticated encryption bound to what a row is for and which row it is.

The purpose and the row's id travel inside the ciphertext and are compared when it is opened, so a ciphertext copied to
another row, or used for another purpose, does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Iterator, Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import Flask, current_app

from app.config.setting import ConfigError


class CannotOpen(Exception):
    """The ciphertext was altered, belongs to another row or purpose, or its key was removed."""


class Sealer:
    """Fernet under the first key; opens what any of the keys sealed, so keys can be rotated."""

    def __init__(self, keys: str | Sequence[str]) -> None:
        """`keys`: Fernet keys, newest first, as a list or comma separated. Raises ConfigError."""
        words = keys.split(",") if isinstance(keys, str) else keys
        names = [word.strip() for word in words if word.strip()]
        if not names:
            raise ConfigError("ENCRYPTION_KEY is not set: give at least one Fernet key.")
        try:
            self._fernet = MultiFernet([Fernet(name) for name in names])
            self._keys = [base64.urlsafe_b64decode(name) for name in names]
        except ValueError as error:
            raise ConfigError(
                "ENCRYPTION_KEY must hold Fernet keys: 32 random bytes each, in URL-safe base64."
            ) from error

    def seal(self, plain: bytes, *, purpose: str, row_id: uuid.UUID) -> bytes:
        """`plain` encrypted for the row `row_id` of `purpose` (a constant word of the code)."""
        return self._fernet.encrypt(_binding(purpose, row_id) + plain)

    def open(self, sealed: bytes, *, purpose: str, row_id: uuid.UUID) -> bytes:
        """What was sealed for exactly this purpose and row. Raises CannotOpen."""
        try:
            envelope = self._fernet.decrypt(bytes(sealed))
        except InvalidToken as error:
            raise CannotOpen("The ciphertext does not open with any key of ENCRYPTION_KEY.") from error
        binding = _binding(purpose, row_id)
        if not hmac.compare_digest(envelope[: len(binding)], binding):
            raise CannotOpen(f"The ciphertext was not sealed for {purpose} of this row.")
        return envelope[len(binding) :]

    def derive(self, *, purpose: str, row_id: uuid.UUID) -> Iterator[str]:
        """192 bits for the row `row_id` of `purpose`, 32 characters of URL-safe base64: one text for each key, newest first."""
        for key in self._keys:
            mac = hmac.digest(key, _binding(purpose, row_id), hashlib.sha256)
            yield base64.urlsafe_b64encode(mac[:24]).decode()

    def rotate(self, sealed: bytes) -> bytes:
        """The same content and binding under the newest key. Raises CannotOpen."""
        try:
            return self._fernet.rotate(bytes(sealed))
        except InvalidToken as error:
            raise CannotOpen("The ciphertext does not open with any key of ENCRYPTION_KEY.") from error


def _binding(purpose: str, row_id: uuid.UUID) -> bytes:
    # The zero byte ends the purpose and the id has a fixed length, so no two bindings share a spelling.
    return purpose.encode() + b"\0" + row_id.bytes


def init(app: Flask) -> None:
    """Bind the application's own, from ENCRYPTION_KEY. Raises ConfigError, so that a bad key stops the start."""
    app.extensions["sealer"] = Sealer(app.config["ENCRYPTION_KEY"])


def sealer() -> Sealer:
    """The application's own."""
    bound: Sealer = current_app.extensions["sealer"]
    return bound

"""A message about a field, with its code."""

from __future__ import annotations


class Coded(str):
    """A sentence with a code that clients can rely on, such as `too_long` (docs/api/processing.md)."""

    __slots__ = ("code",)

    code: str

    def __new__(cls, code: str, message: str) -> Coded:
        made = super().__new__(cls, message)
        made.code = code
        return made

    def __deepcopy__(self, memo: object) -> Coded:
        """marshmallow copies the fields of every schema; what never changes needs no copy."""
        return self

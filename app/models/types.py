"""Column types used by every table."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator

E = TypeVar("E", bound=StrEnum)

Key = Annotated[uuid.UUID, mapped_column(Uuid, primary_key=True)]
BigKey = Annotated[int, mapped_column(BigInteger, primary_key=True)]
Minor = Annotated[int, mapped_column(BigInteger)]
"""Minor units of the row's currency."""
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Words = Annotated[str, mapped_column(Text)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]


class EnumText(TypeDecorator[E], Generic[E]):
    """A text column whose values are the members of a StrEnum."""

    impl = Text
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: E | str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.members(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.members(value)


def one_of(column: str, members: type[StrEnum]) -> CheckConstraint:
    """The column holds nothing but the members' values."""
    listed = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({listed})")

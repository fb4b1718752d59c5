"""Column types used by every table."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

Key = Annotated[uuid.UUID, mapped_column(Uuid, primary_key=True)]
BigKey = Annotated[int, mapped_column(BigInteger, primary_key=True)]
Minor = Annotated[int, mapped_column(BigInteger)]
"""Minor units of the row's currency."""
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Words = Annotated[str, mapped_column(Text)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]

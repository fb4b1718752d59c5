"""A connection as the application's role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.database import connection


@pytest.fixture
def db_connection(settings: dict[str, str]) -> Iterator[Any]:
    with connection(settings) as opened:
        yield opened

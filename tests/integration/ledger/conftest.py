"""A connection as the application's role, and one as the tables' owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.database import connection


@pytest.fixture
def books(settings: dict[str, str]) -> Iterator[Any]:
    with connection(settings) as opened:
        yield opened


@pytest.fixture
def owner(settings: dict[str, str]) -> Iterator[Any]:
    with connection(settings, as_owner=True) as opened:
        yield opened

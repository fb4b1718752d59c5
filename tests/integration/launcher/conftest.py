"""A stand-in project for each test of the launcher."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.launcher.stand_in import StandInProject, stand_in_project


@pytest.fixture
def project() -> Iterator[StandInProject]:
    with stand_in_project() as made:
        yield made

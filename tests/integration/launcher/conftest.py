"""A stand-in project for each test of the launcher."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.launcher.stand_in import StandInProject, wait_for


@pytest.fixture
def project() -> Iterator[StandInProject]:
    folder = Path(tempfile.mkdtemp(prefix="malipo-project-"))
    folder.chmod(0o755)  # as root, Postgres runs as another user
    made = StandInProject(folder)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    wait_for(lambda: not made.left_running(), "everything in the stand-in has ended")
    shutil.rmtree(folder)

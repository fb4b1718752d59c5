"""The document as a file, as generators read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from tests.support.node import install

JS = Path(__file__).parent / "js"


@pytest.fixture(scope="session")
def document_file(app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("openapi") / "openapi.json"
    found.write_bytes(app.test_client().get("/openapi.json").data)
    return found


@pytest.fixture(scope="session")
def javascript() -> Path:
    """The folder in which Redocly, openapi-typescript and TypeScript are installed, as locked."""
    install(JS)
    return JS

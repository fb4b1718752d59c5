"""Styles and scripts: their names, how long they are kept, what is not served, and pages without scripts."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.web import assets
from app.web.assets import Assets

SCRIPT = "/*! licence */ let answer = 42;" * 10
MOST_BYTES = 4096
"""Of the style, as gzip."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "socket.io.min.js").write_text(SCRIPT)
    (tmp_path / "built-from").write_text("a digest")
    (tmp_path / "key.pem").write_text("a secret")
    return tmp_path


@pytest.fixture
def with_script(settings: dict[str, str], folder: Path) -> Flask:
    """An application whose scripts are built."""
    app = create_app(settings)
    app.extensions["assets"] = Assets(assets.FOLDERS[0], folder)
    return app


def _url(app: Flask, file: str) -> str:
    found = app.extensions["assets"].url(file)
    assert isinstance(found, str)
    return found


def test_a_name_has_the_contents_digest_and_is_kept_for_a_year(with_script: Flask) -> None:
    url = _url(with_script, "socket.io.min.js")
    digest = hashlib.sha256(SCRIPT.encode()).hexdigest()[:12]
    assert url == f"/assets/socket.io.{digest}.min.js"
    answer = with_script.test_client().get(url)
    assert answer.status_code == 200 and answer.text == SCRIPT
    assert answer.mimetype == "text/javascript"
    assert set(answer.headers["Cache-Control"].split(", ")) == {"public", "max-age=31536000", "immutable"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_other_content_has_another_name(folder: Path) -> None:
    before = Assets(folder).url("socket.io.min.js")
    (folder / "socket.io.min.js").write_text(SCRIPT + " ")
    assert Assets(folder).url("socket.io.min.js") != before


def test_the_style_is_there_without_a_build_and_small(client: FlaskClient, app: Flask) -> None:
    url = _url(app, "page.css")
    answer = client.get(url, headers={"Accept-Encoding": "br, gzip"})
    assert answer.status_code == 200 and answer.mimetype == "text/css"
    assert answer.content_length == len(answer.data) <= MOST_BYTES
    assert b"url(" not in gzip.decompress(answer.data)


@pytest.mark.parametrize(
    ("accepted", "is_gzip"),
    [("gzip", True), ("gzip;q=0.1, br", True), ("*", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_gzip_where_it_is_accepted(with_script: Flask, accepted: str, is_gzip: bool) -> None:
    url = _url(with_script, "socket.io.min.js")
    answer = with_script.test_client().get(url, headers={"Accept-Encoding": accepted})
    assert (answer.headers.get("Content-Encoding") == "gzip") is is_gzip
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert (gzip.decompress(answer.data) if is_gzip else answer.data) == SCRIPT.encode()


@pytest.mark.parametrize(
    "name",
    [
        "page.css",
        "socket.io.min.js",
        "socket.io.000000000000.min.js",
        "built-from",
        "key.pem",
        "..%2f..%2fassets.py",
        "../templates/page.html",
        "..%5cassets.py",
        "%2fetc%2fpasswd",
        "socket.io.min.js%00",
        "",
    ],
)
def test_nothing_else_is_served(with_script: Flask, name: str) -> None:
    answer = with_script.test_client().get(f"/assets/{name}")
    assert answer.status_code == 404 and answer.headers["Cache-Control"] == "no-store"


def test_a_script_that_was_not_built_has_no_url(tmp_path: Path) -> None:
    assert Assets(tmp_path / "none").url("socket.io.min.js") is None


def test_only_reading_is_possible(client: FlaskClient, app: Flask) -> None:
    assert client.post(_url(app, "page.css")).status_code == 405
    assert client.head(_url(app, "page.css")).status_code == 200

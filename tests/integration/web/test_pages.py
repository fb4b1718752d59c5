"""What holds of every page from a template: its policy, its escaping, and that a forgotten value is an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask, Response
from jinja2 import UndefinedError

from app import create_app
from app.web.assets import FOLDERS, Assets
from app.web.pages import PLAIN, PagePolicy, content_policy, render

ATTACK = "\"><script src=//x></script><p onclick='y'>"


def _rendered(app: Flask, **more: object) -> Response:
    values: dict[str, object] = {"heading": "Pay", "text": "Now", "refresh_s": None}
    with app.test_request_context():
        return render("payment_return.html", **values | more)  # type: ignore[arg-type]


@pytest.fixture
def with_script(settings: dict[str, str], tmp_path: Path) -> Flask:
    (tmp_path / "live.js").write_text("0")
    app = create_app(settings | {"PUBLIC_URL": "https://pay.example"})
    app.extensions["assets"] = Assets(FOLDERS[0], tmp_path)
    return app


def test_a_page_says_what_it_may_load(app: Flask) -> None:
    page = _rendered(app)
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Robots-Tag"] == "noindex"
    assert page.mimetype == "text/html" and "<script" not in page.get_data(as_text=True)


def test_a_page_with_scripts_may_connect_and_write_no_html(with_script: Flask) -> None:
    page = _rendered(with_script, policy=PagePolicy(scripts=("live.js",)))
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'; connect-src 'self' wss://pay.example;" in policy
    assert policy.endswith("require-trusted-types-for 'script'; trusted-types 'none'")
    assert "unsafe" not in policy
    (script,) = re.findall(r'<script src="([^"]+)" defer></script>', page.get_data(as_text=True))
    assert with_script.test_client().get(script).data == b"0"


def test_a_script_that_was_not_built_is_left_out(with_script: Flask) -> None:
    page = _rendered(with_script, policy=PagePolicy(scripts=("socket.io.min.js", "live.js")))
    assert page.get_data(as_text=True).count("<script") == 1


def test_forms_may_lead_where_the_page_says(app: Flask) -> None:
    policy = PagePolicy(form_targets=("https://shop.example",), is_origin_sent=True)
    page = _rendered(app, policy=policy)
    assert "form-action 'self' https://shop.example;" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_a_websocket_of_plain_http_is_named_too() -> None:
    policy = PagePolicy(scripts=("live.js",))
    assert "connect-src 'self' ws://127.0.0.1:5000;" in content_policy(policy, "http://127.0.0.1:5000")
    assert "script-src" not in content_policy(PLAIN, "http://127.0.0.1:5000")


def test_what_is_filled_in_is_text(app: Flask) -> None:
    words = _rendered(app, heading=ATTACK, text=ATTACK).get_data(as_text=True)
    assert "<script" not in words and "onclick='" not in words
    assert words.count("&#34;&gt;&lt;script src=//x&gt;") == 3


def test_a_forgotten_value_is_an_error(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(UndefinedError):
        render("payment_return.html", heading="Pay", refresh_s=None)

"""The sandbox as a Flask application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, Flask, Response
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter

from app import json_numbers
from app.sandbox import api, chapa, mpesa, paystack, pesapal, stripe
from app.sandbox.core import Sandbox, SandboxSettings

SIMULATORS: Final[Mapping[str, Callable[[Sandbox], Blueprint]]] = {
    "mpesa": mpesa.make_blueprint,
    "chapa": chapa.make_blueprint,
    "paystack": paystack.make_blueprint,
    "pesapal": pesapal.make_blueprint,
    "stripe": stripe.make_blueprint,
}
"""Provider → what makes its blueprint, mounted at /<provider>."""

_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer a browser would hide the origin of our own forms, too.
    "Referrer-Policy": "same-origin",
}

MAX_BODY_BYTES: Final = 1_048_576


class BoundedJson(DefaultJSONProvider):
    """Bodies of requests by the reader of bounded numbers. Fractions are floats, which documents can keep."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return json_numbers.loads(s, fraction=float)


class IdConverter(IntegerConverter):
    """`<int:id>` in a path: what SQLite holds, else 404."""

    regex = r"[0-9]{1,18}"


def create_app(settings: SandboxSettings) -> tuple[Flask, Sandbox]:
    """The application, not yet started, and the sandbox it serves."""
    sandbox = Sandbox.open(settings)
    app = Flask(
        __name__, template_folder="pages", static_folder="pages/static", static_url_path="/sandbox/static"
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = BoundedJson(app)
    app.url_map.strict_slashes = False
    app.url_map.converters["int"] = IdConverter
    app.register_blueprint(api.make_blueprint(sandbox), url_prefix="/sandbox")
    for name, make in SIMULATORS.items():
        app.register_blueprint(make(sandbox), url_prefix=f"/{name}")
    app.register_blueprint(mpesa.make_pages(sandbox), url_prefix="/sandbox")
    app.register_error_handler(HTTPException, api.plain_error)
    app.after_request(_with_page_headers)
    return app, sandbox


def _with_page_headers(response: Response) -> Response:
    if response.mimetype == "text/html":
        for name, value in _PAGE_HEADERS.items():
            response.headers.setdefault(name, value)
    return response

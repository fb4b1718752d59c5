"""The sandbox as a Flask application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter

from app import json_numbers
from app.sandbox import api, chapa, mpesa, paystack, pesapal, stripe
from app.sandbox.core import Sandbox, SandboxSettings
from app.sandbox.http import json_response

SIMULATORS: Final[Mapping[str, Callable[[Sandbox], Blueprint]]] = {
    "mpesa": mpesa.make_blueprint,
    "chapa": chapa.make_blueprint,
    "paystack": paystack.make_blueprint,
    "pesapal": pesapal.make_blueprint,
    "stripe": stripe.make_blueprint,
}
"""Provider → the function that makes its blueprint, which is mounted at /<provider>."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    # With no-referrer, browsers hide the origin of the sandbox's own forms, too.
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
    app = Flask(__name__, template_folder="templates", static_url_path="/sandbox/static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = BoundedJson(app)
    app.url_map.strict_slashes = False
    app.url_map.converters["int"] = IdConverter
    app.register_blueprint(api.make_blueprint(sandbox), url_prefix="/sandbox")
    for name, make in SIMULATORS.items():
        app.register_blueprint(make(sandbox), url_prefix=f"/{name}")
    app.register_blueprint(mpesa.make_phone(sandbox), url_prefix="/sandbox")
    app.register_error_handler(HTTPException, api.plain_error)
    app.after_request(_with_headers)
    app.wsgi_app = OwnHosts(app.wsgi_app, settings)  # type: ignore[method-assign]
    return app, sandbox


class OwnHosts:
    """WSGI middleware: 403 for a request that names another host than the sandbox's.

    A page of another site reaches the sandbox under a name of its own, when its DNS turns that into 127.0.0.1.
    """

    def __init__(self, inner: Callable[..., Iterable[bytes]], settings: SandboxSettings) -> None:
        self._inner = inner
        self._hosts = {"localhost", "127.0.0.1", "[::1]", *settings.hosts}
        self._public = urlsplit(settings.public_url).netloc.lower()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_HOST", "localhost").lower()
        if given.removesuffix(f":{environ['SERVER_PORT']}") in self._hosts or given == self._public:
            return self._inner(environ, start_response)
        refusal = _with_headers(json_response({"error": "This is not the sandbox's address."}, 403))
        return refusal(environ, start_response)


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response

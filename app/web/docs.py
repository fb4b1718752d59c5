"""`/docs`: the OpenAPI document as a page to read and try. Everything comes from this machine.

Swagger UI's files are those of the installed wheel flask-openapi3-swagger, which is found and never imported.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from flask import Response, request

from app.errors import NotFound
from app.http.blueprint import Blueprint

blueprint = Blueprint("docs", __name__)

OWN: Final = Path(__file__).parent / "docs_page"
PACKAGE: Final = "flask_openapi3_swagger"
ASSETS: Final = {
    "swagger-ui-bundle.js": "js/swagger-ui-bundle.js",
    "swagger-ui.css": "css/swagger-ui.css",
    "icon.svg": "images/swagger.svg",
}
"""Name in the page → place in the wheel's templates/swagger/."""

MAX_AGE_S: Final = 3600


@blueprint.route("/docs")
def get_page() -> Response:
    """The page."""
    return _answer(OWN / "index.html")


@blueprint.route("/docs/<name>")
def get_file(name: str) -> Response:
    """One of the page's files; any other name is not found."""
    if name == "start.js":
        return _answer(OWN / name)
    if name in ASSETS:
        return _answer(asset(name))
    raise NotFound


def _answer(path: Path) -> Response:
    """The file, or 304 when the browser has it."""
    media_type = guess_type(path.name)[0] or "application/octet-stream"
    response = Response(_content(path), mimetype=media_type)
    response.add_etag()
    response.cache_control.public = True
    response.cache_control.max_age = MAX_AGE_S
    response.make_conditional(request)
    return response


@cache
def _content(path: Path) -> bytes:
    # Four files, 1.6 MB together: kept in memory after the first request.
    return path.read_bytes()


@cache
def asset(name: str) -> Path:
    """Where the wheel has `name`. RuntimeError: it is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{PACKAGE} is not installed: requirements.txt names it.")
    return Path(spec.origin).parent / "templates" / "swagger" / ASSETS[name]

"""`/assets/<name>`: the styles and scripts of pages, under names that change with their content, so that browsers keep them.

Two folders: static/ has our own; built/ has what `make assets` takes from npm, and may be missing. Then pages do without.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from flask import Flask, Response, current_app, request

from app.errors import NotFound
from app.http.blueprint import Blueprint

blueprint = Blueprint("assets", __name__)

FOLDERS: Final = (Path(__file__).parent / "static", Path(__file__).parent / "built")

MEDIA_TYPES: Final = MappingProxyType({".css": "text/css", ".js": "text/javascript"})
"""Files of no other kind are served."""

MAX_AGE_S: Final = 31_536_000

_PARTS: Final = re.compile(r"(.+?)((?:\.min)?\.\w+)")


@dataclass(frozen=True, slots=True)
class Asset:
    """name: in the URL, with a part of the content's digest."""

    name: str
    media_type: str
    content: bytes = field(repr=False)
    gzipped: bytes = field(repr=False)


class Assets:
    """The files of some folders, read once. A folder that is not there has none."""

    def __init__(self, *folders: Path) -> None:
        files = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]
        self._by_file = {file.name: _read(file) for file in files if file.suffix in MEDIA_TYPES}
        self._by_name = {asset.name: asset for asset in self._by_file.values()}

    def url(self, file: str) -> str | None:
        """The path of the file's present content; None when there is no such file."""
        asset = self._by_file.get(file)
        return f"/assets/{asset.name}" if asset is not None else None

    def named(self, name: str) -> Asset:
        """Raises NotFound: no file's present content has this name."""
        try:
            return self._by_name[name]
        except KeyError:
            raise NotFound from None


def init(app: Flask) -> None:
    """Read the files."""
    app.extensions["assets"] = Assets(*FOLDERS)


def asset_url(file: str) -> str | None:
    """For templates: the URL of `page.css`, or of a script; None for one that was not built."""
    return _assets().url(file)


@blueprint.route("/assets/<name>")
def get_file(name: str) -> Response:
    """One file, as gzip where the browser takes it."""
    asset = _assets().named(name)
    is_gzip = request.accept_encodings.quality("gzip") > 0
    response = Response(asset.gzipped if is_gzip else asset.content, mimetype=asset.media_type)
    if is_gzip:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.cache_control.public = True
    response.cache_control.max_age = MAX_AGE_S
    response.cache_control.immutable = True
    return response


def _assets() -> Assets:
    found: Assets = current_app.extensions["assets"]
    return found


def _read(file: Path) -> Asset:
    content = file.read_bytes()
    parts = _PARTS.fullmatch(file.name)
    assert parts is not None, file
    return Asset(
        name=f"{parts[1]}.{hashlib.sha256(content).hexdigest()[:12]}{parts[2]}",
        media_type=MEDIA_TYPES[file.suffix],
        content=content,
        gzipped=gzip.compress(content, 9, mtime=0),
    )

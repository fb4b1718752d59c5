"""The content of mails, out of the templates beside this file: a text and an HTML form of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
)


def content(name: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """(text, HTML) of the template with this name. Values are escaped in HTML. Raises jinja2.UndefinedError: one is missing."""
    text, html = (_TEMPLATES.get_template(f"{name}.{form}").render(values) for form in ("txt", "html"))
    return text, html

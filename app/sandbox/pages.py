"""The pages of a simulator: one table, registered in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flask import Blueprint, Response, make_response, render_template

from app.sandbox.http import Refusal


class Page(NamedTuple):
    """One row of the table. function: gets the variables of the path. name: of the endpoint, for links."""

    method: str
    path: str
    name: str
    function: Callable[..., Response]


def add_pages(
    blueprint: Blueprint, pages: Sequence[Page], *, refused: Callable[[Refusal], Response] | None = None
) -> None:
    """Register every row of the table. refused: the page shown in place of a Refusal."""
    for page in pages:
        view = page.function if refused is None else _guarded(page.function, refused)
        blueprint.add_url_rule(page.path, page.name, view, methods=[page.method])


def render(template: str, status: int = 200, **values: Any) -> Response:
    """A page from `templates/`."""
    return make_response(render_template(template, **values), status)


def _guarded(
    function: Callable[..., Response], refused: Callable[[Refusal], Response]
) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        try:
            return function(**path)
        except Refusal as refusal:
            return refused(refusal)

    return view

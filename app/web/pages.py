"""Pages from the templates in templates/, each with a policy of its own that says what it may load (CSP).

Whatever is filled in is escaped, and a value that a template names must be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Response, current_app
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.clock import iso_z
from app.web.assets import asset_url

TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class PagePolicy:
    """What a page may do.

    scripts: files of /assets that it loads, those that were not built left out. form_targets: origins to which the answer to its
    form may redirect. is_origin_sent: whether its forms send their Origin; a page whose URL is a secret must not.
    """

    scripts: tuple[str, ...] = ()
    form_targets: tuple[str, ...] = ()
    is_origin_sent: bool = False


PLAIN: Final = PagePolicy()
"""Styles, images and forms of our own."""


def render(template: str, *, status: int = 200, policy: PagePolicy = PLAIN, **values: Any) -> Response:
    """The page; `values` are what its template names. It is stored nowhere, and search engines leave it out."""
    text = _environment.get_template(template).render(scripts=policy.scripts, **values)
    response = Response(text, status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = content_policy(policy, current_app.config["PUBLIC_URL"])
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin" if policy.is_origin_sent else "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def content_policy(policy: PagePolicy, public_url: str) -> str:
    """The Content-Security-Policy. public_url: where browsers reach the gateway."""
    rules = [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        # Browsers apply it to the redirect after the form, too.
        " ".join(["form-action 'self'", *policy.form_targets]),
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if policy.scripts:
        rules += [
            "script-src 'self'",
            # For Safari before version 15, 'self' is not the WebSocket of the same host.
            f"connect-src 'self' {_websocket_origin(public_url)}",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    return "; ".join(rules)


def _websocket_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"


def _make_environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["asset_url"] = asset_url
    made.filters["iso_z"] = iso_z
    return made


_environment: Final = _make_environment()

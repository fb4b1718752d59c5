"""`/dev/mailbox`: the demo's mails, to read without a mail server. In any other mode there is no such page.

What a mail holds was written by others: it is escaped, and its HTML is an answer of its own, in a sandbox without scripts, forms and
anything loaded.
"""

from __future__ import annotations

import uuid
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from flask import Response, current_app, jsonify, request

from app.clock import iso_z
from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.models import Notification
from app.services.mail import notifications

blueprint = Blueprint("mailbox", __name__)

OWN: Final = Path(__file__).parent / "mailbox_page"

SHOWN: Final = 50
"""The newest ones."""

CSS_MAX_AGE_S: Final = 3600

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MAIL_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@blueprint.route("/dev/mailbox")
def show() -> Response:
    """The page; with `?format=json` the same as JSON."""
    _require_demo()
    found = notifications.newest(limit=SHOWN)
    if request.args.get("format") == "json":
        return jsonify(
            [
                {
                    "id": str(one.id),
                    "from": one.sender,
                    "to": one.recipient,
                    "subject": one.subject,
                    "text": one.text,
                }
                for one in found
            ]
        )
    summary = f"The newest {SHOWN} mails at most, the newest first." if found else "There is no mail yet."
    page = Template(_file("page.html")).substitute(
        summary=summary, mails="\n".join(_article(one) for one in found)
    )
    return _html(page, PAGE_POLICY)


@blueprint.route("/dev/mailbox/<uuid:notification_id>")
def show_html(notification_id: uuid.UUID) -> Response:
    """One mail's HTML, as it is sent."""
    _require_demo()
    found = notifications.find(notification_id)
    if found is None:
        raise NotFound
    return _html(found.html, MAIL_POLICY)


@blueprint.route("/dev/mailbox.css")
def style() -> Response:
    """The page's look."""
    _require_demo()
    response = Response(_file("mailbox.css"), mimetype="text/css")
    response.cache_control.public = True
    response.cache_control.max_age = CSS_MAX_AGE_S
    return response


def _require_demo() -> None:
    """Raises NotFound, as for a route that does not exist."""
    if not current_app.config["IS_DEMO"]:
        raise NotFound


def _article(notification: Notification) -> str:
    return Template(_file("mail.html")).substitute(
        id=notification.id,
        subject=escape(notification.subject),
        sender=escape(notification.sender),
        recipient=escape(notification.recipient),
        state=escape(notification.state),
        time=iso_z(notification.created_at),
        text=escape(notification.text),
    )


def _html(text: str, policy: str) -> Response:
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy
    return response


@cache
def _file(name: str) -> str:
    return (OWN / name).read_text(encoding="utf-8")

"""`/dev/mailbox`: the demo's mails, to read without a mail server. In any other mode there is no such page.

What a mail holds was written by others: it is escaped, and its HTML is an answer of its own, in a sandbox without scripts, forms and
anything loaded.
"""

from __future__ import annotations

import uuid
from typing import Final

from flask import Response, current_app, jsonify, request

from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.services.mail import notifications
from app.web.pages import render

blueprint = Blueprint("mailbox", __name__)

SHOWN: Final = 50
"""The newest ones."""

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
    return render("mailbox.html", heading="Mailbox of the demo", mails=found, most=SHOWN)


@blueprint.route("/dev/mailbox/<uuid:notification_id>")
def show_html(notification_id: uuid.UUID) -> Response:
    """One mail's HTML, as it is sent."""
    _require_demo()
    found = notifications.find(notification_id)
    if found is None:
        raise NotFound
    response = Response(found.html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response


def _require_demo() -> None:
    """Raises NotFound, as for a route that does not exist."""
    if not current_app.config["IS_DEMO"]:
        raise NotFound

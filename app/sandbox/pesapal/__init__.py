"""A Pesapal (API 3.0, JSON) that moves no money: orders, their page, IPNs, status and refunds over real HTTP.

It answers as developer.pesapal.com shows: HTTP 200 for errors too, with the verdict in `status` and `error`.
"""

from __future__ import annotations

from flask import Blueprint

from app.sandbox.core import Sandbox
from app.sandbox.pesapal import api, pages
from app.sandbox.pesapal.desk import Desk


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Pesapal's API under `/api`, the customer's page and the merchant's dashboard."""
    blueprint = Blueprint("pesapal", __name__, template_folder="templates")
    desk = Desk(sandbox)
    api.add_routes(blueprint, desk)
    pages.add_routes(blueprint, desk)
    return blueprint

"""A simulator of Pesapal (API 3.0, JSON): orders, their page, IPNs, status and refunds over real HTTP.

It answers as developer.pesapal.com shows: errors have HTTP 200, too, with `status` and `error` in the body.
"""

from __future__ import annotations

from flask import Blueprint

from app.sandbox.calls import add_calls
from app.sandbox.core import Sandbox
from app.sandbox.pages import add_pages
from app.sandbox.pesapal.calls import PesapalApi, calls
from app.sandbox.pesapal.pages import pages, refused
from app.sandbox.pesapal.simulator import Simulator


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Pesapal's API under `/api`, the customer's page and the merchant's dashboard."""
    blueprint = Blueprint("pesapal", __name__)
    simulator = Simulator(sandbox)
    add_calls(blueprint, PesapalApi(sandbox, simulator.tokens), calls(simulator))
    add_pages(blueprint, pages(simulator), refused=refused)
    return blueprint

"""A simulator of Paystack: its API, its hosted checkout page, its webhooks."""

from __future__ import annotations

from flask import Blueprint

from app.sandbox.calls import add_calls
from app.sandbox.core import Sandbox
from app.sandbox.pages import add_pages
from app.sandbox.paystack.calls import PaystackApi, calls
from app.sandbox.paystack.pages import pages
from app.sandbox.paystack.simulator import Simulator


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Everything under `/paystack`."""
    blueprint = Blueprint("paystack", __name__)
    simulator = Simulator(sandbox)
    add_calls(blueprint, PaystackApi(sandbox), calls(simulator))
    add_pages(blueprint, pages(simulator))
    return blueprint

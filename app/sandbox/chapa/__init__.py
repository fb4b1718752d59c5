"""A simulator of Chapa: its API under /v1, its hosted checkout page, its webhooks."""

from __future__ import annotations

from flask import Blueprint

from app.sandbox.calls import add_calls
from app.sandbox.chapa.calls import ChapaApi, calls
from app.sandbox.chapa.pages import pages
from app.sandbox.chapa.simulator import Simulator
from app.sandbox.core import Sandbox
from app.sandbox.pages import add_pages


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Everything under `/chapa`."""
    blueprint = Blueprint("chapa", __name__)
    simulator = Simulator(sandbox)
    add_calls(blueprint, ChapaApi(sandbox), calls(simulator))
    add_pages(blueprint, pages(simulator))
    return blueprint

"""A simulator of Stripe: PaymentIntents, Checkout, refunds, disputes and signed webhooks over real HTTP.

It follows docs.stripe.com for API version 2026-10-28.endive: form bodies with bracket keys, JSON answers, bearer or basic
authentication, idempotent POSTs. The official SDK works with it when only its base address is set.
"""

from __future__ import annotations

from flask import Blueprint

from app.sandbox.calls import add_calls
from app.sandbox.core import Sandbox
from app.sandbox.pages import add_pages
from app.sandbox.stripe.calls import StripeApi, add_headers_and_fallback, calls
from app.sandbox.stripe.pages import pages, refused
from app.sandbox.stripe.simulator import Simulator


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Stripe's API under `/v1`, and the pages of customers and banks."""
    blueprint = Blueprint("stripe", __name__)
    simulator = Simulator(sandbox)
    add_headers_and_fallback(blueprint)
    add_calls(blueprint, StripeApi(sandbox, simulator.lists), calls(simulator))
    add_pages(blueprint, pages(simulator), refused=refused)
    return blueprint

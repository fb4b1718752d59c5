"""A Stripe that moves no money: PaymentIntents, Checkout, refunds, disputes and signed webhooks over real HTTP.

It speaks what docs.stripe.com says of API version 2026-10-28.endive: form bodies with bracket keys, JSON answers, bearer
or basic authentication, idempotent POSTs. The official SDK works against it by its base address alone.
"""

from __future__ import annotations

from flask import Blueprint

from app.sandbox.core import Sandbox
from app.sandbox.stripe import api, pages
from app.sandbox.stripe.desk import Desk


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Stripe's API under `/v1`, and the pages its customers see."""
    blueprint = Blueprint("stripe", __name__, template_folder="templates")
    desk = Desk(sandbox)
    sandbox.customers.register("stripe", desk.willing_customer)
    api.add_routes(blueprint, desk)
    pages.add_routes(blueprint, desk)
    return blueprint

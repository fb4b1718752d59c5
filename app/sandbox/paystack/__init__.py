"""A simulator of Paystack: its API, its hosted checkout page, its webhooks."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.sandbox.core import Sandbox
from app.sandbox.paystack.answers import refusal_of_key
from app.sandbox.paystack.checkout import Checkout
from app.sandbox.paystack.directory import Directory
from app.sandbox.paystack.paying import Paying
from app.sandbox.paystack.recipients import Recipients
from app.sandbox.paystack.refunds import Refunds
from app.sandbox.paystack.transactions import Transactions
from app.sandbox.paystack.transfers import Transfers
from app.sandbox.paystack.webhooks import Webhooks


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Everything below `/paystack`. The API wants the secret key, the customer's pages do not."""
    blueprint = Blueprint("paystack", __name__, template_folder="pages")

    @blueprint.before_request
    def authenticate() -> Response | None:
        is_page = (request.endpoint or "").startswith("paystack.checkout")
        return None if is_page else refusal_of_key(sandbox)

    webhooks = Webhooks(sandbox)
    paying = Paying(sandbox, webhooks)
    for part in (
        Transactions(sandbox, paying),
        Checkout(sandbox, paying),
        Refunds(sandbox, webhooks),
        Recipients(sandbox),
        Transfers(sandbox, webhooks),
        Directory(sandbox),
    ):
        part.add_to(blueprint)
    return blueprint

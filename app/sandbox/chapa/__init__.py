"""A simulator of Chapa: its API under /v1, its hosted checkout page, its webhooks."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.sandbox.chapa.checkout import Checkout
from app.sandbox.chapa.directory import BulkTransfers, Directory
from app.sandbox.chapa.payments import Payments, needs_key
from app.sandbox.chapa.refunds import Refunds
from app.sandbox.chapa.transfers import Transfers
from app.sandbox.chapa.webhooks import Webhooks
from app.sandbox.core import Sandbox


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Everything below `/chapa`. The API wants the secret key, the customer's pages do not."""
    blueprint = Blueprint("chapa", __name__, template_folder="pages")

    @blueprint.before_request
    def authenticate() -> Response | None:
        is_api = "/v1/" in f"{request.path}/"
        return needs_key(sandbox) if is_api else None

    webhooks = Webhooks(sandbox)
    payments = Payments(sandbox, webhooks)
    transfers = Transfers(sandbox, webhooks)
    for part in (
        payments,
        Checkout(sandbox, payments),
        Refunds(sandbox, webhooks),
        transfers,
        BulkTransfers(sandbox, transfers),
        Directory(sandbox),
    ):
        part.add_to(blueprint)
    return blueprint

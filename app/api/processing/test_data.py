"""`/v1/test/reset`: begins a tenant's test data anew (document 003). Not in production."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, current_app
from marshmallow import fields as ma

from app.api.processing.blueprint import Blueprint
from app.api.processing.times import iso
from app.errors import NotFound
from app.http.answers import Answer, one_of
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.tenants.reset import reset_test_data
from app.sliding_windows import SlidingWindows

blueprint = Blueprint("processing_test_data", __name__, description="Test data.")

_MESSAGE = "All test data has been reset."


class ResetAnswer(Answer):
    message = one_of(_MESSAGE)
    timestamp = ma.String(metadata={"format": "date-time"})


@blueprint.route("/test/reset", methods=["POST"])
@operation("processing_test_data_reset", errors=[NotFound])
@blueprint.response(200, ResetAnswer)
def reset() -> Response:
    """Begin the tenant's test data anew: payments, refunds, webhooks, idempotency keys, rate limit counters

    In production there is no such route (404).
    """
    if current_app.config["IS_PRODUCTION"]:
        raise NotFound
    actor = current_principal()
    moment, keys = reset_test_data(actor)
    windows: SlidingWindows = current_app.extensions["sliding_windows"]
    windows.clear(
        replace(actor, credential=key.id, name=None, requests_per_minute=key.requests_per_minute)
        for key in keys
    )
    return respond({"message": _MESSAGE, "timestamp": iso(moment)})

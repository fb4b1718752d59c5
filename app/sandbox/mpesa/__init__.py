"""M-Pesa as Daraja shows it: pushes to a phone, results by callback, payouts, reversals, status, balance, pull, C2B."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.sandbox.core import Sandbox
from app.sandbox.mpesa import access, c2b, commands, express, phone
from app.sandbox.mpesa.commands import Commands
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.pushes import Pushes
from app.sandbox.mpesa.replies import Refused, request_id

POSTED = frozenset({
    "mpesa/stkpush/v1/processrequest", "mpesa/stkpushquery/v1/query", "mpesa/b2c/v1/paymentrequest",
    "mpesa/b2c/v3/paymentrequest", "mpesa/b2b/v1/paymentrequest", "mpesa/reversal/v1/request",
    "mpesa/transactionstatus/v1/query", "mpesa/accountbalance/v1/query", "mpesa/c2b/v1/registerurl",
    "mpesa/c2b/v2/registerurl", "mpesa/c2b/v1/simulate", "mpesa/c2b/v2/simulate", "pulltransactions/v1/register",
})  # fmt: skip
"""Paths that exist: another method than POST is refused as such, not as an unknown path."""


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Daraja's paths."""
    blueprint = Blueprint("mpesa", __name__)
    access.add(blueprint, sandbox)
    pushes = Pushes(sandbox)
    pushes.attach()
    express.add(blueprint, sandbox, pushes)
    commands.add(blueprint, sandbox, Commands(sandbox), Keys(sandbox))
    c2b.add(blueprint, sandbox)
    blueprint.errorhandler(Refused)(_refused)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    blueprint.add_url_rule("/<path:path>", "elsewhere", _elsewhere, methods=methods)
    return blueprint


def make_pages(sandbox: Sandbox) -> Blueprint:
    """What is not Daraja's, under /sandbox: the customer's phone, and the certificate a portal would offer."""
    return phone.make_blueprint(sandbox, Pushes(sandbox), Keys(sandbox))


def _refused(error: Refused) -> Response:
    return error.answer()


def _elsewhere(path: str) -> Response:
    is_known = path in POSTED and request.method != "POST"
    code, message = ("405.001", "Method Not Allowed") if is_known else ("404.001.01", "Resource not found")
    answer = jsonify(requestId=request_id(), errorCode=code, errorMessage=message)
    answer.status_code = 405 if is_known else 404
    return answer

"""A simulator of M-Pesa as Daraja offers it: pushes, callbacks, payouts, reversals, status, balance, pull and C2B."""

from __future__ import annotations

from flask import Blueprint

from app.sandbox.calls import add_calls
from app.sandbox.core import Sandbox
from app.sandbox.mpesa.calls import DarajaApi, add_fallback, calls
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.pages import pages
from app.sandbox.mpesa.payments import Pushes
from app.sandbox.mpesa.simulator import Simulator
from app.sandbox.pages import add_pages


def make_blueprint(sandbox: Sandbox) -> Blueprint:
    """Everything under `/mpesa`: Daraja's paths."""
    blueprint = Blueprint("mpesa", __name__)
    table = calls(Simulator(sandbox))
    add_calls(blueprint, DarajaApi(sandbox), table)
    add_fallback(blueprint, table)
    return blueprint


def make_phone(sandbox: Sandbox) -> Blueprint:
    """What Daraja does not have, under `/sandbox`: the customer's phone, and the certificate of the portal."""
    blueprint = Blueprint("phone", __name__)
    add_pages(blueprint, pages(sandbox, Pushes(sandbox), Keys(sandbox)))
    return blueprint

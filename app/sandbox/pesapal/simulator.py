"""The parts of the Pesapal simulator."""

from __future__ import annotations

from app.sandbox.core import Sandbox
from app.sandbox.pesapal.auth import Tokens
from app.sandbox.pesapal.callbacks import Callbacks
from app.sandbox.pesapal.orders import Orders
from app.sandbox.pesapal.payments import Payments
from app.sandbox.pesapal.refunds import Refunds


class Simulator:
    """One Pesapal merchant account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.tokens = Tokens(sandbox)
        self.callbacks = Callbacks(sandbox)
        self.payments = Payments(sandbox, self.callbacks)
        self.orders = Orders(sandbox, self.callbacks, self.payments)
        self.refunds = Refunds(sandbox, self.payments)
        sandbox.customers.register("pesapal", self.payments.act_as_customer)

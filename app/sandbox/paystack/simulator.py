"""The parts of the Paystack simulator."""

from __future__ import annotations

from app.sandbox.core import Sandbox
from app.sandbox.paystack.balances import Balances
from app.sandbox.paystack.callbacks import Callbacks
from app.sandbox.paystack.payments import Payments
from app.sandbox.paystack.recipients import Recipients
from app.sandbox.paystack.refunds import Refunds
from app.sandbox.paystack.transactions import Transactions
from app.sandbox.paystack.transfers import Transfers


class Simulator:
    """One Paystack merchant account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        callbacks = Callbacks(sandbox)
        self.balances = Balances(sandbox)
        self.payments = Payments(sandbox, callbacks)
        self.transactions = Transactions(sandbox, self.payments)
        self.refunds = Refunds(sandbox, callbacks)
        self.recipients = Recipients(sandbox)
        self.transfers = Transfers(sandbox, callbacks, self.balances)
        sandbox.customers.register("paystack", self.payments.act_as_customer)

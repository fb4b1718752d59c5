"""The parts of the Chapa simulator."""

from __future__ import annotations

from app.sandbox.chapa.balances import Balances
from app.sandbox.chapa.bulk_transfers import BulkTransfers
from app.sandbox.chapa.callbacks import Callbacks
from app.sandbox.chapa.payments import Payments
from app.sandbox.chapa.refunds import Refunds
from app.sandbox.chapa.transfers import Transfers
from app.sandbox.core import Sandbox


class Simulator:
    """One Chapa merchant account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        callbacks = Callbacks(sandbox)
        self.balances = Balances(sandbox)
        self.payments = Payments(sandbox, callbacks)
        self.refunds = Refunds(sandbox, callbacks)
        self.transfers = Transfers(sandbox, callbacks, self.balances)
        self.bulk_transfers = BulkTransfers(sandbox, self.transfers)
        sandbox.customers.register("chapa", self.payments.act_as_customer)

"""The parts of the M-Pesa simulator."""

from __future__ import annotations

from app.sandbox.core import Sandbox
from app.sandbox.mpesa.auth import Tokens
from app.sandbox.mpesa.c2b import C2B
from app.sandbox.mpesa.commands import Commands
from app.sandbox.mpesa.express import Express
from app.sandbox.mpesa.keys import Keys
from app.sandbox.mpesa.payments import Pushes
from app.sandbox.mpesa.payouts import Payouts
from app.sandbox.mpesa.pull import Pull
from app.sandbox.mpesa.queries import Queries
from app.sandbox.mpesa.refunds import Refunds


class Simulator:
    """One merchant at Daraja."""

    def __init__(self, sandbox: Sandbox) -> None:
        keys = Keys(sandbox)
        self.tokens = Tokens(sandbox)
        self.pushes = Pushes(sandbox)
        self.pushes.register()
        self.express = Express(sandbox, self.pushes)
        self.commands = Commands(sandbox)
        self.payouts = Payouts(sandbox, self.commands, keys)
        self.refunds = Refunds(sandbox, self.commands, keys)
        self.queries = Queries(sandbox, self.commands, keys)
        self.c2b = C2B(sandbox)
        self.pull = Pull(sandbox)

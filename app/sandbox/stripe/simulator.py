"""The parts of the Stripe simulator."""

from __future__ import annotations

from app.sandbox.core import Sandbox
from app.sandbox.stripe.balances import Balances
from app.sandbox.stripe.callbacks import Callbacks
from app.sandbox.stripe.charges import Charges
from app.sandbox.stripe.customer import Customer
from app.sandbox.stripe.customers import Customers
from app.sandbox.stripe.disputes import Disputes
from app.sandbox.stripe.lists import Lists
from app.sandbox.stripe.payment_calls import IntentCalls
from app.sandbox.stripe.payment_methods import PaymentMethods
from app.sandbox.stripe.payments import Intents
from app.sandbox.stripe.refunds import Refunds
from app.sandbox.stripe.sessions import Sessions


class Simulator:
    """One Stripe account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.lists = Lists(sandbox)
        self.callbacks = Callbacks(sandbox)
        self.balances = Balances(sandbox)
        self.charges = Charges(sandbox)
        self.payment_methods = PaymentMethods(sandbox)
        self.customers = Customers(sandbox)
        self.disputes = Disputes(sandbox, self.callbacks)
        self.intents = Intents(sandbox, self.callbacks, self.payment_methods, self.disputes)
        self.intent_calls = IntentCalls(sandbox, self.intents, self.payment_methods, self.customers)
        self.sessions = Sessions(sandbox, self.callbacks, self.payment_methods, self.intents, self.customers)
        self.refunds = Refunds(sandbox, self.callbacks)
        self.customer = Customer(self.intents, self.sessions)
        sandbox.customers.register("stripe", self.customer.act)

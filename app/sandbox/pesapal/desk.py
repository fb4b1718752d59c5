"""Everything of one Pesapal merchant in one place."""

from __future__ import annotations

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.pesapal.answers import Document
from app.sandbox.pesapal.notifications import Notifications
from app.sandbox.pesapal.orders import Orders
from app.sandbox.pesapal.payments import Payments
from app.sandbox.pesapal.refunds import Refunds
from app.sandbox.pesapal.tokens import Tokens


class Desk:
    """The merchant's tokens, IPNs, orders, payments and refunds."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.tokens = Tokens(sandbox)
        self.notifications = Notifications(sandbox)
        self.orders = Orders(sandbox, self.notifications)
        self.payments = Payments(sandbox, self.notifications)
        self.refunds = Refunds(sandbox, self.payments)
        sandbox.customers.register("pesapal", self.payments.willing_customer)

    def submit(self, body: Document, plan: Plan) -> Document:
        """SubmitOrderRequest: a page to send the customer to. Raises Refused."""
        order = self.orders.submit(body, plan)
        tracking_id = order["order_tracking_id"]
        if plan.callback_early:
            self.payments.willing_customer(tracking_id)
        elif plan.fate != "timed_out":
            self.sandbox.customers.expect("pesapal", tracking_id)
        return {
            "order_tracking_id": tracking_id,
            "merchant_reference": order["merchant_reference"],
            "redirect_url": order["redirect_url"],
            "error": None,
            "status": "200",
        }

"""Charges: one for each attempt to pay a PaymentIntent."""

from __future__ import annotations

from app.sandbox.core import Sandbox
from app.sandbox.store import Document
from app.sandbox.stripe.errors import missing


class Charges:
    """The account's charges."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def get(self, id: str) -> Document:
        """The charge. Raises 404."""
        charge = self._sandbox.store.get("stripe", "charge", id)
        if charge is None:
            raise missing("charge", id)
        return charge

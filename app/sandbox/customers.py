"""The simulated customer, who pays after a while unless a user opens the payment's page first."""

from __future__ import annotations

from collections.abc import Callable

from app.sandbox.control import Control
from app.sandbox.timers import Timers


class Customers:
    """The simulated customers of every provider."""

    def __init__(self, timers: Timers, control: Control) -> None:
        self._timers = timers
        self._control = control

    def register(self, provider: str, act: Callable[[str], None]) -> None:
        """`act(id)` is what the customer does to a payment. It runs in the background and checks the payment's state."""

        def act_unless_off(id: str) -> None:
            if self._control.autopay_s is not None:
                act(id)

        self._timers.register(_timer(provider), act_unless_off)

    def schedule(self, provider: str, id: str) -> None:
        """Let the customer act on a payment after `autopay_s`; do nothing while that is off."""
        if (after_s := self._control.autopay_s) is not None:
            self._timers.set(_timer(provider), id, after_s)

    def cancel(self, provider: str, id: str) -> None:
        """A user opened the payment's page: the simulated customer does not act on it."""
        self._timers.cancel(_timer(provider), id)


def _timer(provider: str) -> str:
    return f"{provider}.customer"

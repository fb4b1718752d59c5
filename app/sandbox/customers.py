"""The simulated customer, who pays after a while unless a person takes over."""

from __future__ import annotations

from collections.abc import Callable

from app.sandbox.control import Control
from app.sandbox.timers import Timers


class Customers:
    """Customers of every provider."""

    def __init__(self, timers: Timers, control: Control) -> None:
        self._timers = timers
        self._control = control

    def register(self, provider: str, pay: Callable[[str], None]) -> None:
        """`pay(id)` is what a willing customer does. It runs in the background and checks the payment's state."""

        def pay_unless_off(id: str) -> None:
            if self._control.autopay_s is not None:
                pay(id)

        self._timers.register(_name(provider), pay_unless_off)

    def expect(self, provider: str, id: str) -> None:
        """A payment waits: it is paid after `autopay_s`, never by itself when that is off."""
        if (after_s := self._control.autopay_s) is not None:
            self._timers.set(_name(provider), id, after_s)

    def import_external_refunds(self, provider: str, id: str) -> None:
        """A person opened the page: nobody pays in his place."""
        self._timers.cancel(_name(provider), id)


def _name(provider: str) -> str:
    return f"{provider}.customer"

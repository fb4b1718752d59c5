"""What all scenarios share: the simulators, the fault proxy before them, and the inbox of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tests.providers.contract.fault_proxy import FaultProxy, Inbox
from tests.support.sandbox import RunningSandbox
from tests.support.waiting import wait_until

T = TypeVar("T")


@dataclass
class ContractEnvironment:
    """What all scenarios share."""

    sandbox: RunningSandbox
    fault_proxy: FaultProxy
    inbox: Inbox
    advanced_s: float = 0.0

    def pass_time(self, seconds: float) -> None:
        """At the simulators: what takes them a second is done at once."""
        self.advanced_s += seconds
        self.sandbox.control({"advance_s": self.advanced_s})

    def until(self, look: Callable[[], T], what: str) -> T:
        """The first truthy answer; between two looks time passes at the simulators. For refunds, payouts and callbacks
        that are certain to come: an unpaid charge would expire meanwhile."""

        def looked() -> T:
            found = look()
            if not found:
                self.pass_time(0.5)
            return found

        return wait_until(looked, what, every_s=0.02)

"""Gateways that tests share: after a test that left its ledger in disagreement the next test gets a new one."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from app import clock
from tests.support import servers
from tests.support.gateway import HTTP_PROVIDERS, Gateway, running_gateway
from tests.support.provider_health import forget_health

FLOAT = 5_000
"""Paid through every provider before the first test, so that the merchant can bear fees and still refund in full."""


class Gateways:
    """The gateway in use, on a database of its own. more: settings that differ."""

    def __init__(self, settings: dict[str, str], folders: pytest.TempPathFactory, **more: str) -> None:
        self._settings, self._folders, self._more = settings, folders, more
        self._gateway: Gateway | None = None
        self._open = ExitStack()

    def usable(self) -> Gateway:
        """A gateway with quiet simulators, no rules, the machine's time, and a ledger that matches the providers."""
        if self._gateway is not None and not _is_sound(self._gateway):
            self.close()
        if self._gateway is None:
            self._gateway = self._new()
        return self._gateway

    def close(self) -> None:
        clock.reset()
        self._gateway = None
        self._open.close()

    def _new(self) -> Gateway:
        own = self._settings | servers.urls_of_new_database()
        gateway = self._open.enter_context(
            running_gateway(own, self._folders.mktemp("gateway"), **self._more)
        )
        for provider in HTTP_PROVIDERS:
            assert gateway.settle(gateway.begin(provider, FLOAT))["status"] == "completed", provider
        gateway.assert_ledger_matches_providers()
        _calm(gateway)
        return gateway


def _calm(gateway: Gateway) -> None:
    gateway.sandbox.control({"rules": [], "autopay_s": 0, "advance_s": 0})
    gateway.advanced_s = 0.0
    clock.reset()
    forget_health(gateway.app)


def _is_sound(gateway: Gateway) -> bool:
    _calm(gateway)
    try:
        gateway.quiet()
        gateway.assert_clearing_matches_providers()
    except AssertionError:
        return False
    return True

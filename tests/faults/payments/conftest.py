"""Gateways for fault tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import clock
from tests.support.bookings import BookingSite, site_of
from tests.support.gateway import Gateway
from tests.support.gateways import Gateways


@pytest.fixture(scope="session")
def gateways(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    opened = Gateways(settings, tmp_path_factory)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def gateways_with_pull(
    settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateways]:
    opened = Gateways(settings, tmp_path_factory, MPESA_PULL="true")
    yield opened
    opened.close()


@pytest.fixture
def gateway(gateways: Gateways) -> Gateway:
    """A gateway without simulator rules and pending customers, at the machine's time."""
    return gateways.usable()


@pytest.fixture
def gateway_with_pull(gateways_with_pull: Gateways) -> Gateway:
    """A merchant whose M-Pesa shortcode is registered for the pull API."""
    return gateways_with_pull.usable()


@pytest.fixture
def site(gateway: Gateway) -> Iterator[BookingSite]:
    """Its travellers decide on the provider's page."""
    gateway.sandbox.control({"autopay_s": "off"})
    yield site_of(gateway)
    gateway.sandbox.forget_rules()
    _process_callbacks(gateway)


def _process_callbacks(gateway: Gateway) -> None:
    """Until none is left that another test would wait for."""
    for _ in range(20):
        ((last,),) = gateway.rows("SELECT max(run_at) FROM jobs WHERE kind = 'provider_event.process'")
        if last is None:
            return
        gateway.advance(max(0.1, (last - clock.now()).total_seconds() + 0.1))
        gateway.run_due()
        gateway.quiet()
    raise AssertionError("callbacks are processed again and again")

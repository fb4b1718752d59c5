"""Gateways for fault tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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

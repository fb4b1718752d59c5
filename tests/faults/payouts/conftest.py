"""A tenant that withdraws, on a gateway whose jobs run when the test says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway
from tests.support.gateways import Gateways
from tests.support.withdrawals import WithdrawingTenant, withdrawing_tenant


@pytest.fixture(scope="session")
def payout_gateways(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    # Jobs run between requests, so an approval would wait for nothing.
    opened = Gateways(settings, tmp_path_factory, WITHDRAWAL_WAIT_S="0", PAYOUT_DESTINATION_COOLING_S="0")
    yield opened
    opened.close()


@pytest.fixture
def gateway(payout_gateways: Gateways) -> Gateway:
    return payout_gateways.usable()


@pytest.fixture
def tenant(gateway: Gateway) -> WithdrawingTenant:
    """10,000 shillings in its wallet."""
    return withdrawing_tenant(gateway)

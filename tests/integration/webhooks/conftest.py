"""A merchant, its server, and deliveries of one test alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.support.tenants import MerchantClient, make_merchant
from tests.support.webhooks import Receiver, forget_endpoints


@pytest.fixture(autouse=True)
def only_this_tests_endpoints(app: Flask) -> None:
    forget_endpoints(app)


@pytest.fixture
def merchant(app: Flask) -> MerchantClient:
    return make_merchant(app)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening

"""A booking site whose gateway calls no provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask

from tests.support.bookings import Answer, BookingSite
from tests.support.tenants import MerchantClient, make_merchant


@pytest.fixture
def site(app: Flask) -> BookingSite:
    return make_site(app)


def make_site(app: Flask, merchant: MerchantClient | None = None) -> BookingSite:
    """merchant: None for a new one."""

    def send(method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        answer = app.test_client().open(path, method=method, json=body, headers=dict(headers))
        return Answer(answer.status_code, answer.json if answer.data else None)

    return BookingSite(send, (merchant or make_merchant(app)).headers)

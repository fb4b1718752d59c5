"""A booking site with Chapa's simulator, whose travellers pay on its page or at once (autopay)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.unit_of_work import transaction
from tests.support import servers
from tests.support.bookings import site_of
from tests.support.gateway import Gateway, running_gateway

TITLE = "Spacious Family Home <in> New York"
TRAVELLER = "jane.roe@example.com"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
"""What a browser sends with a form of a page whose policy is no-referrer."""


@dataclass(frozen=True)
class BookingPages:
    """A browser's requests for the page of one booking."""

    gateway: Gateway
    client: FlaskClient
    id: str

    @property
    def path(self) -> str:
        return f"/bookings/{self.id}"

    def get(self, **headers: str) -> TestResponse:
        return self.client.get(self.path, headers=headers)

    def words(self) -> str:
        return self.get().get_data(as_text=True)

    def state(self) -> dict[str, Any]:
        answer = self.client.get(f"{self.path}/state")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.get_json()
        return found

    def pay(self, headers: dict[str, str] = OWN_PAGE, **fields: str) -> TestResponse:
        return self.client.post(f"{self.path}/pay", data=fields, headers=headers)

    def check(self, headers: dict[str, str] = OWN_PAGE) -> TestResponse:
        return self.client.post(f"{self.path}/check", headers=headers)

    def payments(self) -> list[Any]:
        return self.gateway.rows("SELECT * FROM payments WHERE order_id = :id ORDER BY id", id=self.id)

    def change(self, statement: str, **values: object) -> None:
        """In the database, of what no traveller can bring about alone."""
        with self.gateway.app.app_context():
            transaction(lambda session: session.execute(text(statement), {"id": self.id, **values}))


@pytest.fixture(scope="package")
def chapa_gateway(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    own = settings | servers.urls_of_new_database()
    with running_gateway(own, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def pages(chapa_gateway: Gateway) -> BookingPages:
    """The page of a new booking: 2304.00 ETB. Its traveller pays when a test says so."""
    chapa_gateway.sandbox.control({"rules": [], "autopay_s": "off"})
    booking_id = site_of(chapa_gateway).booking(title=TITLE, email=TRAVELLER)
    return BookingPages(chapa_gateway, chapa_gateway.app.test_client(), booking_id)


def heading_of(words: str) -> str:
    (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", words)
    return str(found)

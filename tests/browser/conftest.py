"""A running demo with a merchant, and customers who use Chromium."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, sync_playwright

from app import create_app
from launcher.embedded import APPLICATION, OWNER
from tests.support import servers
from tests.support.bookings import Answer, BookingSite
from tests.support.browser import Visitor, find_chromium
from tests.support.stack import Stack, running_stack
from tests.support.tenants import fund_merchant, make_merchant
from tests.support.travellers import Traveller
from tests.support.waiting import wait_until

CUSTOMER = {"phone": "+254708374149", "email": "jane@example.com", "name": "Jane Roe"}


@dataclass(frozen=True)
class MerchantClient:
    """A merchant's backend: it requests payments, reads their statuses, and knows each provider's book."""

    stack: Stack
    headers: dict[str, str] = field(repr=False)

    def initialize(self, provider: str, amount: str, currency: str, **more: Any) -> dict[str, Any]:
        """A payment that waits for its customer."""
        body = {"provider": provider, "amount": amount, "currency": currency, "customer": CUSTOMER} | more
        answer = requests.post(
            f"{self.stack.url}/api/v1/payments/initialize",
            json=body,
            headers=self.headers | {"Idempotency-Key": str(uuid.uuid4())},
            timeout=30,
        )
        assert answer.status_code == 201, answer.text
        payment: dict[str, Any] = answer.json()["data"]
        assert payment["status"] == "processing", payment
        return payment

    def refund(self, payment: dict[str, Any]) -> dict[str, Any]:
        """Refund the whole payment; the refund."""
        answer = requests.post(
            f"{self.stack.url}/api/v1/payments/{payment['id']}/refund",
            headers=self.headers | {"Idempotency-Key": str(uuid.uuid4())},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        refund: dict[str, Any] = answer.json()["data"]
        return refund

    def refund_of(self, payment: dict[str, Any]) -> dict[str, Any]:
        """The payment's only refund."""
        answer = requests.get(
            f"{self.stack.url}/api/v1/payments/{payment['id']}/refunds", headers=self.headers, timeout=30
        )
        assert answer.status_code == 200, answer.text
        (refund,) = answer.json()["data"]
        found: dict[str, Any] = refund
        return found

    def payment(self, payment_id: str) -> dict[str, Any]:
        answer = requests.get(
            f"{self.stack.url}/api/v1/payments/{payment_id}", headers=self.headers, timeout=30
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    def wait_for_status(self, payment: dict[str, Any], *words: str) -> dict[str, Any]:
        """The payment, once its status is one of these."""

        def ended() -> dict[str, Any] | None:
            found = self.payment(payment["id"])
            return found if found["status"] in words else None

        return wait_until(ended, f"the payment is {' or '.join(words)}", every_s=0.1)

    def return_page(self, payment: dict[str, Any]) -> str:
        return f"{self.stack.url}/payments/{payment['id']}/return"

    def provider_total(self, provider: str, currency: str, kind: str = "charge") -> Decimal:
        """The total that the provider's book has collected so far; kind `refund`: refunded."""
        book = requests.get(f"{self.stack.sandbox_url}/sandbox/book/{provider}", timeout=30).json()
        return Decimal(book["totals"].get(currency, {}).get(kind, "0"))

    def control(self, wanted: dict[str, Any]) -> None:
        """Set something in the sandbox."""
        answer = requests.post(f"{self.stack.sandbox_url}/sandbox/control", json=wanted, timeout=30)
        assert answer.status_code == 200, answer.text

    def quiet(self) -> None:
        """Until the simulators have nothing under way."""

        def is_quiet() -> bool:
            answer = requests.get(f"{self.stack.sandbox_url}/sandbox/waiting", timeout=30)
            return bool(answer.json()["due_soon"] == 0)

        wait_until(is_quiet, "the simulators are quiet", every_s=0.05)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's browser. It resolves no host names, so it reaches this machine only."""
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: install it, on Debian with 'apt-get install chromium'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--disable-gpu"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def stack(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A demo without simulated customers (autopay is off)."""
    postgres, redis_server = servers.postgres(), servers.new_redis()
    database, folder = servers.new_database(), tmp_path_factory.mktemp("stack")
    environment = servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis_server.url(),
        mode="demo",
        var_dir=folder / "files",
        SANDBOX_AUTOPAY_S="off",
        REALTIME="embedded",
    )
    # The stack has its own simulators.
    del environment["SANDBOX_URL"]
    try:
        with running_stack(environment, folder, processes=("sandbox", "web", "relay", "worker")) as stack:
            yield stack
    finally:
        redis_server.destroy()


@pytest.fixture(scope="package")
def merchant(stack: Stack) -> MerchantClient:
    app = create_app(stack.environment | {"LOG_LEVEL": "WARNING"})
    created = make_merchant(app)
    for currency in ("USD", "KES"):
        # Refunds include the fees.
        fund_merchant(app, created, 10_000_00, currency=currency)
    return MerchantClient(stack, created.headers)


MakeVisitor = Callable[..., Visitor]


@pytest.fixture
def make_visitor(chromium: Browser, stack: Stack) -> Iterator[MakeVisitor]:
    """`make_visitor(**context)`: a user with a browser window; at the end the window must have recorded no faults."""
    visitors: list[Visitor] = []
    hosts = frozenset(urlsplit(url).netloc for url in (stack.url, stack.sandbox_url))

    def make(*, may_hold_styles: bool = False, **options: Any) -> Visitor:
        page = chromium.new_context(**options).new_page()
        visitors.append(Visitor(page, hosts=hosts, may_hold_styles=may_hold_styles))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.page.context.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []


@pytest.fixture
def customer(make_visitor: MakeVisitor) -> Visitor:
    return make_visitor()


@pytest.fixture
def site(merchant: MerchantClient) -> BookingSite:
    """The merchant as a booking site."""

    def send(method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        url = f"{merchant.stack.url}{path}"
        answer = requests.request(method, url, json=body, headers=dict(headers), timeout=30)
        return Answer(answer.status_code, answer.json() if answer.content else None)

    return BookingSite(send, merchant.headers)


MakeTraveller = Callable[..., Traveller]


@pytest.fixture
def make_traveller(site: BookingSite, merchant: MerchantClient, make_visitor: MakeVisitor) -> MakeTraveller:
    """`make_traveller(**context)`: with a new booking."""

    def make(**options: Any) -> Traveller:
        return Traveller(make_visitor(**options), f"{merchant.stack.url}/bookings/{site.booking()}")

    return make

"""Document 001: its four commands as printed, then a payment through each provider, watched live and given back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import requests

from tour.books import Books
from tour.house import House
from tour.live import Watcher, watching
from tour.report import Report
from tour.shell import paste

TITLE: Final = "Document 001: payments through providers"

INITIALIZE: Final = """\
curl -X POST http://localhost:5000/api/v1/payments/initialize \\
  -H "Content-Type: application/json" \\
  -H "Idempotency-Key: $(uuidgen)" \\
  -d '{
    "provider": "mpesa",
    "amount": 1000,
    "currency": "KES",
    "customer": {
      "phone": "+254700000000",
      "email": "test@example.com",
      "name": "John Doe"
    },
    "metadata": {
      "order_id": "ORD-12345"
    }
  }'
"""
GET: Final = """\
curl -X GET http://localhost:5000/api/v1/payments/{transaction_id}
"""
VERIFY: Final = """\
curl -X POST http://localhost:5000/api/v1/payments/{transaction_id}/verify
"""
LIST: Final = """\
curl -X GET "http://localhost:5000/api/v1/payments?provider=mpesa&status=completed&page=1&per_page=20"
"""

FIELDS: Final = frozenset({
    "id", "idempotency_key", "provider", "provider_transaction_id", "amount", "currency", "status", "customer",
    "payment_method", "metadata", "provider_response", "created_at", "updated_at", "completed_at",
})  # fmt: skip
"""The document's TransactionSchema."""

GREETING: Final = "Connected to payment gateway"

PROVIDERS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "mpesa": ("150.00", "KES"),
    "stripe": ("20.00", "USD"),
    "chapa": ("100.00", "ETB"),
    "paystack": ("500.00", "NGN"),
    "pesapal": ("200.00", "KES"),
    "cpay": ("15.00", "USD"),
})  # fmt: skip
"""Provider → what is paid through it: amounts that the simulators just pay."""

CUSTOMER: Final = MappingProxyType(
    {"phone": "+254712345678", "email": "test@example.com", "name": "John Doe"}
)

PAYING_S: Final = 30.0
REFUNDING_S: Final = 60.0
"""Pesapal's refunds send no news: they are found by asking, 5, 15 and 60 s after one another."""


@dataclass
class Sale:
    """A payment on its way through the tour."""

    provider: str
    id: str
    amount: Decimal
    currency: str
    given_back: list[Decimal] = field(default_factory=list)


def play(house: House, report: Report) -> None:
    """Raises Difference when it cannot go on."""
    with watching(house.url) as watcher:
        report.step("Connecting by Socket.IO with a default client and no credential")
        report.expect("the greeting", watcher.greeting(), GREETING)
        _play_commands(house, watcher, report)
        can = {row["name"]: row for row in house.fetch("GET", "/payments/providers")["data"]}
        report.step("What can be used")
        report.expect("providers", ", ".join(sorted(can)), ", ".join(sorted(PROVIDERS)))
        before = Books.read(house, PROVIDERS)
        sales = _sell(house, watcher, report)
        _give_back(house, watcher, report, sales, can)
    _compare(house, report, sales, before)


def _play_commands(house: House, watcher: Watcher, report: Report) -> None:
    report.step("Initialize Payment, as printed")
    asked = paste(house, INITIALIZE, report)
    report.expect("HTTP status", asked.status, 201)
    payment = asked.body.get("data", {})
    payment_id = str(payment.get("id"))
    report.say(f"Payment {payment_id}: {payment.get('status')}")
    report.expect("the document's fields that are missing", sorted(FIELDS - payment.keys()), [])
    report.expect("amount", payment.get("amount"), "1000.00")
    report.expect("room", watcher.subscribe(payment_id), f"transaction_{payment_id}")
    _watch(watcher, payment_id, report, until="payment.completed")

    report.step("Get Payment, as printed")
    shown = paste(house, GET.replace("{transaction_id}", payment_id), report)
    report.expect("status", (shown.status, shown.body["data"]["status"]), (200, "completed"))
    report.step("Verify Payment, as printed: no body, no key")
    verified = paste(house, VERIFY.replace("{transaction_id}", payment_id), report)
    report.expect("status", (verified.status, verified.body["data"]["status"]), (200, "completed"))
    report.step("List Payments, as printed")
    listed = paste(house, LIST, report)
    items = listed.body["data"]["items"]
    report.expect("the newest completed M-Pesa payment", items[0]["id"], payment_id)
    report.expect("others than completed M-Pesa payments", [i["id"] for i in items if _is_other(i)], [])
    report.say(f"pagination: {listed.body['data']['pagination']}")


def _is_other(item: Mapping[str, Any]) -> bool:
    return (item["provider"], item["status"]) != ("mpesa", "completed")


def _sell(house: House, watcher: Watcher, report: Report) -> list[Sale]:
    report.step("A payment through each provider")
    sales = []
    for provider, (amount, currency) in PROVIDERS.items():
        order = {
            "provider": provider, "amount": amount, "currency": currency, "customer": dict(CUSTOMER),
            "metadata": {"order_id": f"TOUR-{provider}"},
        }  # fmt: skip
        payment = house.fetch(
            "POST", "/payments/initialize", status=201, key=secrets.token_hex(16), json=order
        )["data"]
        watcher.subscribe(payment["id"])
        sales.append(Sale(provider, payment["id"], Decimal(amount), currency))
        report.say(f"{provider}: {amount} {currency}, {payment['status']}; {_where_to_pay(payment)}")
    for sale in sales:
        _watch(watcher, sale.id, report, until="payment.completed", who=f"{sale.provider}: ")
        page = requests.get(f"{house.url}/payments/{sale.id}/return", timeout=10)
        report.expect(
            f"{sale.provider}: the customer reads that it is completed",
            "The payment is completed." in page.text, True,
        )  # fmt: skip
    return sales


def _where_to_pay(payment: Mapping[str, Any]) -> str:
    if payment["payment_url"]:
        return f"the customer pays at {payment['payment_url']}"
    return "the customer is asked on the phone" if payment["status"] == "processing" else "answered at once"


def _give_back(
    house: House, watcher: Watcher, report: Report, sales: list[Sale], can: Mapping[str, Mapping[str, Any]]
) -> None:
    report.step("Giving it back: a part and then the rest where the provider can, else the whole")
    for sale in sales:
        able = can[sale.provider]["capabilities"]
        if able["partial_refunds"] and able["repeated_refunds"]:
            _refund(house, sale, report, part=sale.amount / 4)
    for sale in sales:
        if sale.given_back:
            _watch_refund(house, watcher, sale, report, status="partially_refunded")
    for sale in sales:
        _refund(house, sale, report)
    for sale in sales:
        _watch_refund(house, watcher, sale, report, status="refunded")


def _refund(house: House, sale: Sale, report: Report, *, part: Decimal | None = None) -> None:
    amount = part or sale.amount - sum(sale.given_back)
    body = {"amount": str(amount), "reason": "The tour"} if part else {"reason": "The tour"}
    answer = house.call("POST", f"/payments/{sale.id}/refund", key=secrets.token_hex(16), json=body)
    report.expect(f"{sale.provider}: {amount} {sale.currency} asked back", answer.status_code, 200)
    sale.given_back.append(amount)


def _watch_refund(house: House, watcher: Watcher, sale: Sale, report: Report, *, status: str) -> None:
    _watch(
        watcher, sale.id, report, until="refund.completed", count=len(sale.given_back), who=f"{sale.provider}: ",
        timeout_s=REFUNDING_S,
    )  # fmt: skip
    payment = house.fetch("GET", f"/payments/{sale.id}")["data"]
    report.expect(f"{sale.provider}: status", payment["status"], status)
    report.expect(f"{sale.provider}: given back", Decimal(payment["refunded_amount"]), sum(sale.given_back))


def _watch(
    watcher: Watcher, payment_id: str, report: Report, *, until: str, count: int = 1, who: str = "",
    timeout_s: float = PAYING_S,
) -> None:  # fmt: skip
    steps = watcher.steps_of(payment_id, until=until, count=count, timeout_s=timeout_s)
    words = [step.event_type for step in steps]
    since = max((n for n, word in enumerate(words) if word == "refund.initiated"), default=0)
    report.expect(f"{who}seen live: {' → '.join(words[since:-1])} → ", words[-1], until)
    numbers = [step.sequence for step in steps if step.sequence is not None]
    if len(numbers) > len(set(numbers)):
        report.differs(f"{who}a step was told twice: {numbers}")


def _compare(house: House, report: Report, sales: list[Sale], before: Books) -> None:
    report.step("Comparing the books: what the simulators did is what the gateway has booked")
    after = Books.read(house, PROVIDERS)
    for sale in sales:
        if sale.provider == "cpay":
            continue  # part of the gateway: there is no other book
        moved = after.moved(before, sale.provider, sale.currency)
        given_back = sum(sale.given_back, Decimal(0))
        report.expect(f"{sale.provider}'s book: collected", moved.charged, sale.amount)
        report.expect(f"{sale.provider}'s book: given back", moved.refunded, given_back)
    for currency in sorted({sale.currency for sale in sales}):
        paid = sum((sale.amount for sale in sales if sale.currency == currency), Decimal(0))
        booked = after.booked(before, currency)
        report.expect(f"the gateway's books: {currency} collected", booked[0], paid)
        report.expect(f"the gateway's books: {currency} given back", booked[1], paid)
    report.expect("findings of the ledger's check", list(after.findings), [])
    report.expect("payments that wait for a person, more than before", after.reviews - before.reviews, 0)

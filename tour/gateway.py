"""The Gateway API's document: its four commands as printed, then a payment through each provider, followed over Socket.IO and
refunded."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import requests

from tour.client import GatewayClient
from tour.live import Watcher, watching
from tour.report import Report
from tour.shell import paste
from tour.totals import Totals

TITLE: Final = "Gateway API: payments through providers"

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

FIELDS: Final = frozenset(
    {
        "id",
        "idempotency_key",
        "provider",
        "provider_transaction_id",
        "amount",
        "currency",
        "status",
        "customer",
        "payment_method",
        "metadata",
        "provider_response",
        "created_at",
        "updated_at",
        "completed_at",
    }
)
"""The document's TransactionSchema."""

GREETING: Final = "Connected to payment gateway"

PROVIDERS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "mpesa": ("150.00", "KES"),
        "stripe": ("20.00", "USD"),
        "chapa": ("100.00", "ETB"),
        "paystack": ("500.00", "NGN"),
        "pesapal": ("200.00", "KES"),
        "cpay": ("15.00", "USD"),
    }
)
"""Provider → the amount paid through it: amounts for which the simulators report success."""

CUSTOMER: Final = MappingProxyType(
    {"phone": "+254712345678", "email": "test@example.com", "name": "John Doe"}
)

PAYING_S: Final = 30.0
REFUNDING_S: Final = 60.0
"""Pesapal sends no callback about a refund: the gateway inquires after 5, 15 and 60 s."""


@dataclass
class TourPayment:
    """One payment of the tour. refunded: the amounts requested as refunds."""

    provider: str
    id: str
    amount: Decimal
    currency: str
    refunded: list[Decimal] = field(default_factory=list)


def play(client: GatewayClient, report: Report) -> None:
    """Raises Difference when it cannot go on."""
    with watching(client.url) as watcher:
        report.step("Connecting by Socket.IO with a default client and no credential")
        report.expect("the greeting", watcher.greeting(), GREETING)
        _play_commands(client, watcher, report)
        can = {row["name"]: row for row in client.fetch("GET", "/payments/providers")["data"]}
        report.step("Listing the providers")
        report.expect("providers", ", ".join(sorted(can)), ", ".join(sorted(PROVIDERS)))
        before = Totals.read(client, PROVIDERS)
        payments = _pay_through_each(client, watcher, report)
        _refund_all(client, watcher, report, payments, can)
    _compare(client, report, payments, before)


def _play_commands(client: GatewayClient, watcher: Watcher, report: Report) -> None:
    report.step("Initialize Payment, as printed")
    created = paste(client, INITIALIZE, report)
    report.expect("HTTP status", created.status, 201)
    payment = created.body.get("data", {})
    payment_id = str(payment.get("id"))
    report.say(f"Payment {payment_id}: {payment.get('status')}")
    report.expect("missing fields of the document", sorted(FIELDS - payment.keys()), [])
    report.expect("amount", payment.get("amount"), "1000.00")
    report.expect("Socket.IO room", watcher.subscribe(payment_id), f"transaction_{payment_id}")
    _watch(watcher, payment_id, report, until="payment.completed")

    report.step("Get Payment, as printed")
    shown = paste(client, GET.replace("{transaction_id}", payment_id), report)
    report.expect("status", (shown.status, shown.body["data"]["status"]), (200, "completed"))
    report.step("Verify Payment, as printed: no body, no key")
    verified = paste(client, VERIFY.replace("{transaction_id}", payment_id), report)
    report.expect("status", (verified.status, verified.body["data"]["status"]), (200, "completed"))
    report.step("List Payments, as printed")
    listed = paste(client, LIST, report)
    items = listed.body["data"]["items"]
    report.expect("the newest completed M-Pesa payment", items[0]["id"], payment_id)
    report.expect(
        "listed payments that do not match the filter", [i["id"] for i in items if _is_other(i)], []
    )
    report.say(f"pagination: {listed.body['data']['pagination']}")


def _is_other(item: Mapping[str, Any]) -> bool:
    return (item["provider"], item["status"]) != ("mpesa", "completed")


def _pay_through_each(client: GatewayClient, watcher: Watcher, report: Report) -> list[TourPayment]:
    report.step("A payment through each provider")
    payments = []
    for provider, (amount, currency) in PROVIDERS.items():
        order = {
            "provider": provider,
            "amount": amount,
            "currency": currency,
            "customer": dict(CUSTOMER),
            "metadata": {"order_id": f"TOUR-{provider}"},
        }
        payment = client.fetch(
            "POST", "/payments/initialize", status=201, key=secrets.token_hex(16), json=order
        )["data"]
        watcher.subscribe(payment["id"])
        payments.append(TourPayment(provider, payment["id"], Decimal(amount), currency))
        report.say(f"{provider}: {amount} {currency}, {payment['status']}; {_where_to_pay(payment)}")
    for tour_payment in payments:
        _watch(watcher, tour_payment.id, report, until="payment.completed", who=f"{tour_payment.provider}: ")
        page = requests.get(f"{client.url}/payments/{tour_payment.id}/return", timeout=10)
        report.expect(
            f"{tour_payment.provider}: the return page shows that it is completed",
            "The payment is completed." in page.text,
            True,
        )
    return payments


def _where_to_pay(payment: Mapping[str, Any]) -> str:
    if payment["payment_url"]:
        return f"the customer pays at {payment['payment_url']}"
    return "the customer confirms on the phone" if payment["status"] == "processing" else "completed at once"


def _refund_all(
    client: GatewayClient,
    watcher: Watcher,
    report: Report,
    payments: list[TourPayment],
    can: Mapping[str, Mapping[str, Any]],
) -> None:
    report.step("Refunding each payment: in two parts where the provider supports it, otherwise in full")
    for tour_payment in payments:
        supported = can[tour_payment.provider]["capabilities"]
        if supported["partial_refunds"] and supported["repeated_refunds"]:
            _refund(client, tour_payment, report, part=tour_payment.amount / 4)
    for tour_payment in payments:
        if tour_payment.refunded:
            _watch_refund(client, watcher, tour_payment, report, status="partially_refunded")
    for tour_payment in payments:
        _refund(client, tour_payment, report)
    for tour_payment in payments:
        _watch_refund(client, watcher, tour_payment, report, status="refunded")


def _refund(
    client: GatewayClient, tour_payment: TourPayment, report: Report, *, part: Decimal | None = None
) -> None:
    amount = part or tour_payment.amount - sum(tour_payment.refunded)
    body = {"amount": str(amount), "reason": "The tour"} if part else {"reason": "The tour"}
    answer = client.call("POST", f"/payments/{tour_payment.id}/refund", key=secrets.token_hex(16), json=body)
    report.expect(
        f"{tour_payment.provider}: {amount} {tour_payment.currency} refund requested", answer.status_code, 200
    )
    tour_payment.refunded.append(amount)


def _watch_refund(
    client: GatewayClient, watcher: Watcher, tour_payment: TourPayment, report: Report, *, status: str
) -> None:
    _watch(
        watcher,
        tour_payment.id,
        report,
        until="refund.completed",
        count=len(tour_payment.refunded),
        who=f"{tour_payment.provider}: ",
        timeout_s=REFUNDING_S,
    )
    payment = client.fetch("GET", f"/payments/{tour_payment.id}")["data"]
    report.expect(f"{tour_payment.provider}: status", payment["status"], status)
    report.expect(
        f"{tour_payment.provider}: refunded",
        Decimal(payment["refunded_amount"]),
        sum(tour_payment.refunded),
    )


def _watch(
    watcher: Watcher,
    payment_id: str,
    report: Report,
    *,
    until: str,
    count: int = 1,
    who: str = "",
    timeout_s: float = PAYING_S,
) -> None:
    steps = watcher.steps_of(payment_id, until=until, count=count, timeout_s=timeout_s)
    words = [step.event_type for step in steps]
    since = max((n for n, word in enumerate(words) if word == "refund.initiated"), default=0)
    report.expect(f"{who}pushed steps: {' → '.join(words[since:-1])} → ", words[-1], until)
    numbers = [step.sequence for step in steps if step.sequence is not None]
    if len(numbers) > len(set(numbers)):
        report.differs(f"{who}a step was pushed twice: {numbers}")


def _compare(client: GatewayClient, report: Report, payments: list[TourPayment], before: Totals) -> None:
    report.step("Comparing the simulators' totals with the gateway's")
    after = Totals.read(client, PROVIDERS)
    for tour_payment in payments:
        if tour_payment.provider == "cpay":
            continue  # part of the gateway: it has no book of its own
        provider_totals = after.at_provider_since(before, tour_payment.provider, tour_payment.currency)
        refunded = sum(tour_payment.refunded, Decimal(0))
        report.expect(
            f"{tour_payment.provider}'s total: collected", provider_totals.charged, tour_payment.amount
        )
        report.expect(f"{tour_payment.provider}'s total: refunded", provider_totals.refunded, refunded)
    for currency in sorted({tour_payment.currency for tour_payment in payments}):
        paid = sum(
            (tour_payment.amount for tour_payment in payments if tour_payment.currency == currency),
            Decimal(0),
        )
        collected, refunded = after.at_gateway_since(before, currency)
        report.expect(f"the gateway's total: {currency} collected", collected, paid)
        report.expect(f"the gateway's total: {currency} refunded", refunded, paid)
    report.expect("findings of the ledger's check", list(after.findings), [])
    report.expect("additional payments in review", after.reviews - before.reviews, 0)

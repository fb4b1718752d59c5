"""An order is paid once: what is collected for it a second time, late, is refunded by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.models.member import Role
from app.services.orders import settle
from tests.faults.payments.expectations import Expected
from tests.faults.payments.facts import entries, expire, operator, outcome, refused
from tests.faults.payments.test_late_money import PAYABLE_ON
from tests.support.gateway import Gateway
from tests.support.orders import Shop, make_customer
from tests.support.tenants import MerchantClient, make_member

AMOUNT = 100
TAKES_S = 50
"""The customer answers the first prompt so late. It is gone after a minute."""

NEVER_S = 3_000

RETURNED = Expected("failed", 1)
WAITS = Expected("failed", 1, "late_success")


@pytest.fixture
def shop(gateway: Gateway) -> Shop:
    merchant = MerchantClient(gateway.tenant_id, gateway.headers["X-TENANT-API-KEY"])
    owner = make_member(gateway.app, merchant, Role.OWNER)
    return Shop(gateway.app, owner, make_customer(gateway.app, merchant))


def _expired(gateway: Gateway, shop: Shop, order_id: str) -> str:
    """A payment of the order that the gateway has given up, while the customer's prompt is open."""
    gateway.sandbox.control({"rules": PAYABLE_ON, "autopay_s": TAKES_S})
    payment_id: str = shop.check_out(order_id, provider="mpesa").json["id"]
    expire(gateway, payment_id)
    gateway.sandbox.control({"rules": [], "autopay_s": 0})
    return payment_id


def _pay_late(gateway: Gateway, shop: Shop, payment_id: str) -> None:
    gateway.advance(TAKES_S)
    gateway.settle(payment_id, until=(), hours=0.01)
    assert len(gateway.charged(payment_id)) == 1


def _pay_again(gateway: Gateway, shop: Shop, order_id: str) -> str:
    """The order's next payment, completed."""
    answer = shop.check_out(order_id, provider="mpesa")
    assert answer.status_code == 201, answer.data
    payment_id: str = answer.json["id"]
    assert gateway.settle(payment_id, hours=0.01)["status"] == "completed"
    return payment_id


def _refunds(gateway: Gateway, payment_id: str) -> list[tuple[str, int, bool]]:
    found = gateway.rows(
        "SELECT state, amount, is_from_suspense, reason FROM refunds WHERE payment_id = :id", id=payment_id
    )
    assert {row.reason for row in found} <= {"Returned by system"}
    return [(row.state, row.amount, row.is_from_suspense) for row in found]


def _late_then_paid(gateway: Gateway, shop: Shop, late: str, order_id: str) -> str:
    _pay_late(gateway, shop, late)
    assert outcome(gateway, late) == WAITS
    assert _refunds(gateway, late) == []
    return _pay_again(gateway, shop, order_id)


def _paid_then_late(gateway: Gateway, shop: Shop, late: str, order_id: str) -> str:
    paid = _pay_again(gateway, shop, order_id)
    _pay_late(gateway, shop, late)
    return paid


@pytest.mark.parametrize("in_this_order", [_late_then_paid, _paid_then_late])
def test_what_was_collected_twice_is_refunded(
    gateway: Gateway, shop: Shop, in_this_order: Callable[[Gateway, Shop, str, str], str]
) -> None:
    """Breaks, each way round, when the one that comes second leaves no job: the customer has paid twice."""
    order_id = shop.order(AMOUNT)
    late = _expired(gateway, shop, order_id)
    assert shop.status(order_id) == "open"
    paid = in_this_order(gateway, shop, late, order_id)
    gateway.settle(late, until=(), hours=1)
    assert outcome(gateway, late) == RETURNED
    assert _refunds(gateway, late) == [("completed", AMOUNT * 100, True)]
    assert entries(gateway, late) == ["suspense"]
    assert outcome(gateway, paid) == Expected("completed", 1)
    assert (shop.status(order_id), shop.get(f"/{order_id}").json["payment"]["id"]) == ("paid", paid)
    (attempt,) = gateway.attempts(late)
    with gateway.app.app_context():
        for cause in (attempt.id, attempt.payment_id):
            settle.settle(cause)  # a worker died before the job was deleted
    assert len(_refunds(gateway, late)) == 1
    assert "waits for a decision" in refused(gateway, "payments", "refund-unmatched", late)
    gateway.assert_ledger_matches_providers()


def test_late_money_of_an_unpaid_order_is_an_operators(gateway: Gateway, shop: Shop) -> None:
    """It can be accepted while no other payment is alive. Breaks without the unique index: the order is paid twice."""
    order_id = shop.order(AMOUNT)
    late = _expired(gateway, shop, order_id)
    _pay_late(gateway, shop, late)
    gateway.sandbox.control({"autopay_s": NEVER_S})
    other = shop.check_out(order_id, provider="mpesa").json["id"]
    assert "Another payment of the order" in refused(gateway, "payments", "accept-unmatched", late)
    assert outcome(gateway, late) == WAITS
    operator(gateway, "payments", "resolve", other, "--failed")
    operator(gateway, "payments", "accept-unmatched", late)
    gateway.settle(late, until=(), hours=0.01)
    assert outcome(gateway, late) == Expected("completed", 1)
    assert (shop.status(order_id), _refunds(gateway, late)) == ("paid", [])
    gateway.assert_ledger_matches_providers()


def _preferences(shop: Shop) -> Any:
    client, headers = shop.app.test_client(), shop.owner.headers
    return client.get(f"/api/v1/customers/{shop.customer_id}/payment-preferences", headers=headers).json


def test_what_is_paid_with_is_saved_and_charged_next_time(gateway: Gateway, shop: Shop) -> None:
    """A phone other than the customer's own; the next checkout names nothing, and that phone is asked."""
    first = shop.check_out(
        shop.order(AMOUNT), provider="mpesa", phone="0711 222 333", save_method=True, set_as_default=True
    )
    assert first.json["method_id"] is None
    gateway.settle(first.json["id"], hours=0.01)
    gateway.run_due()
    (method,) = _preferences(shop)["saved_methods"]
    assert (method["id"], method["is_default"]) == ("mpesa_254711222333", True)
    again = shop.post(f"/{shop.order(AMOUNT)}/checkout")
    assert (again.status_code, again.json["provider"], again.json["method_id"]) == (
        201,
        "mpesa",
        method["id"],
    )
    assert gateway.settle(again.json["id"], hours=0.01)["customer"]["phone"] == "+254711222333"
    unsaved = shop.check_out(shop.order(AMOUNT), save_method=True)
    assert (unsaved.status_code, unsaved.json["error"]) == (400, "CPay saves no payment methods.")
    gateway.assert_ledger_matches_providers()

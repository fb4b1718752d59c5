"""Payments through providers, watched live: their events, and who may see them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from flask import Flask

from app.services.tenants import key_changes
from tests.support.factories import make_user
from tests.support.realtime import PythonClient, javascript_client, python_client
from tests.support.stack import Stack
from tests.support.tenants import MerchantClient, fund_merchant, make_merchant
from tests.support.waiting import wait_until


@dataclass
class Seller:
    """A merchant whose customers pay through CPay."""

    stack: Stack
    app: Flask
    merchant: MerchantClient
    realtime_url: str

    def sell(
        self, amount: str = "250.00", *, customer_id: str | None = None, **metadata: Any
    ) -> dict[str, Any]:
        """Initialise a payment; its `data`."""
        customer = {"phone": "+254712345678"} | ({"id": customer_id} if customer_id else {})
        body = {
            "provider": "cpay",
            "amount": amount,
            "currency": "KES",
            "customer": customer,
            "metadata": metadata,
        }
        answer = self.post("/initialize", body)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    def post(self, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        headers = self.merchant.headers | {"Idempotency-Key": uuid.uuid4().hex}
        return requests.post(
            f"{self.stack.url}/api/v1/payments{path}", json=body, headers=headers, timeout=30
        )

    def get(self, payment_id: str) -> dict[str, Any]:
        url = f"{self.stack.url}/api/v1/payments/{payment_id}"
        return requests.get(url, headers=self.merchant.headers, timeout=30).json()["data"]


def _seller(stack: Stack, app: Flask, realtime_url: str) -> Seller:
    merchant = make_merchant(app)
    fund_merchant(app, merchant, 1_000_000)
    return Seller(stack, app, merchant, realtime_url)


@pytest.fixture(scope="module")
def demo(stack: Stack, app_of: Callable[[Stack], Flask]) -> Seller:
    return _seller(stack, app_of(stack), stack.url)


@pytest.fixture(scope="module")
def production(production_stack: Stack, app_of: Callable[[Stack], Flask]) -> Seller:
    return _seller(production_stack, app_of(production_stack), production_stack.realtime_url)


@pytest.fixture(params=["demo", "production"])
def seller(request: pytest.FixtureRequest) -> Seller:
    found: Seller = request.getfixturevalue(request.param)
    return found


def _updates(client: PythonClient, payment_id: str) -> list[dict[str, Any]]:
    found = client.received.of("transaction_update")
    return [update for update in found if update["transaction"]["id"] == payment_id]


def _wait_for_event(client: PythonClient, payment_id: str, event_type: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [update for update in _updates(client, payment_id) if update["event_type"] == event_type]

    wait_until(found, f"{event_type} of {payment_id}")
    return found()[0]


def test_a_subscriber_is_shown_the_present_state_in_rests_shape(seller: Seller) -> None:
    payment = seller.sell("1000.50", customer_id="cust-1", order="o-1")
    with python_client(seller.realtime_url, api_key=seller.merchant.api_key) as client:
        client.subscribe(payment["id"])
        (answer,) = client.received.wait_for("subscribed")
        assert answer["room"] == f"transaction_{payment['id']}"
        client.received.wait_for_steps(payment["id"])
    shown = _wait_for_event(client, payment["id"], "payment.completed")
    transaction = shown["transaction"]
    rest = seller.get(payment["id"])
    assert transaction["amount"] == 1000.5 and rest["amount"] == "1000.50"
    # The first may hold a key for the customer's page; the others are for merchants and operators.
    hidden = {"provider_response", "provider_failure", "requested_amount", "requested_currency"}
    expected = {name: value for name, value in rest.items() if name not in hidden} | {"amount": 1000.5}
    assert transaction == expected
    assert transaction["customer"]["id"] == "cust-1" and transaction["metadata"] == {"order": "o-1"}
    assert not {"tenant_id", "amount_minor", "realtime_token"} & transaction.keys()


def test_steps_come_in_order_once_and_live(seller: Seller) -> None:
    payment = seller.sell()
    with python_client(seller.realtime_url, api_key=seller.merchant.api_key) as client:
        client.subscribe(payment["id"])
        client.received.wait_for("subscribed")
        assert seller.post(f"/{payment['id']}/refund", {"amount": "50.00"}).status_code == 200
        assert seller.post(f"/{payment['id']}/refund").status_code == 200
        wait_until(lambda: "refunded" in client.received.steps(payment["id"]), "the refund")
        numbers = [update["sequence"] for update in _updates(client, payment["id"]) if update["sequence"]]
        # The state that answers the subscription may have been pushed to the room of the key before it.
        state = _wait_for_event(client, payment["id"], "payment.completed")["sequence"]
        later = [number for number in numbers if number > state]
        assert numbers == sorted(numbers) and later == sorted(set(later)) and len(later) >= 2
        assert client.received.steps(payment["id"])[-1] == seller.get(payment["id"])["status"] == "refunded"


def test_a_key_s_connection_gets_every_payment_of_its_merchant_alone(seller: Seller) -> None:
    other = _seller(seller.stack, seller.app, seller.realtime_url)
    with (
        python_client(seller.realtime_url, api_key=seller.merchant.api_key) as client,
        python_client(seller.realtime_url, api_key=other.merchant.api_key) as others,
    ):
        own, foreign = [seller.sell()["id"], seller.sell()["id"]], other.sell()["id"]
        for payment_id in own:
            client.received.wait_for_steps(payment_id)
        others.received.wait_for_steps(foreign)
    assert {update["transaction"]["id"] for update in client.received.of("transaction_update")} == set(own)
    assert {update["transaction"]["id"] for update in others.received.of("transaction_update")} == {foreign}


def test_a_payment_that_waits_is_seen_to_be_cancelled(demo: Seller) -> None:
    payment = demo.sell(simulate="pending")
    assert payment["status"] == "processing"
    with python_client(demo.realtime_url) as client:
        client.subscribe(payment["id"])
        client.received.wait_for_steps(payment["id"], last="processing")
        assert demo.post(f"/{payment['id']}/cancel").status_code == 200
        cancelled = _wait_for_event(client, payment["id"], "payment.cancelled")
        assert cancelled["transaction"]["status"] == "cancelled"


def test_refund_steps_are_pushed_to_subscribers_of_the_payment(seller: Seller) -> None:
    payment = seller.sell("300.00")
    with python_client(seller.realtime_url) as client:
        client.subscribe(payment["id"], token=payment["realtime_token"])
        client.received.wait_for("subscribed")
        assert seller.post(f"/{payment['id']}/refund", {"amount": "100.00"}).status_code == 200
        cancelled = _wait_for_event(client, payment["id"], "refund.completed")["transaction"]
        assert cancelled["refund"]["amount"] == "100.00" and cancelled["refund"]["status"] == "completed"
        assert cancelled["status"] == "partially_refunded" and cancelled["amount"] == 300
        first = _wait_for_event(client, payment["id"], "refund.initiated")["transaction"]
        assert first["refund"]["id"] == cancelled["refund"]["id"]


def test_demo_lets_any_client_subscribe_with_the_id(demo: Seller, javascript: None) -> None:
    payment = demo.sell()
    with javascript_client(demo.realtime_url) as client:
        client.received.wait_for("connected")
        client.subscribe(payment["id"])
        client.received.wait_for_steps(payment["id"])


def test_production_lets_only_the_merchant_subscribe(production: Seller) -> None:
    other = make_merchant(production.app)
    named_user = make_user(production.app)
    payment = production.sell(customer_id=named_user.public_id)
    unknown = str(uuid.uuid4())
    for brought in ({"api_key": other.api_key}, {"token": named_user.access_token}, {}):
        with python_client(production.realtime_url, **brought) as outsider:
            outsider.subscribe(payment["id"])
            outsider.subscribe(unknown)
            foreign, none = outsider.received.wait_for("error", 2)
            # Another user's payment looks exactly like an unknown one.
            assert foreign == none | {"transaction_id": payment["id"]} and foreign["code"] == "NOT_FOUND"
            assert production.post(f"/{payment['id']}/refund", {"amount": "1.00"}).status_code == 200
            with python_client(production.realtime_url, api_key=production.merchant.api_key) as owner:
                owner.subscribe(payment["id"])
                owner.received.wait_for("transaction_update")
            assert set(outsider.received.names()) == {"connected", "error"}


def test_customer_named_like_a_user_reaches_no_user_room(seller: Seller) -> None:
    named_user = make_user(seller.app)
    with (
        python_client(seller.realtime_url, named_user.access_token) as user,
        python_client(seller.realtime_url, api_key=seller.merchant.api_key) as owner,
    ):
        payment = seller.sell(customer_id=named_user.public_id)
        owner.subscribe(payment["id"])
        owner.received.wait_for_steps(payment["id"])
        assert user.received.names() == ["connected"]


def test_realtime_token_is_valid_for_its_payment_only(seller: Seller) -> None:
    payment, other = seller.sell(), seller.sell()
    token = payment["realtime_token"]
    assert len(token) == 43
    with python_client(seller.realtime_url) as client:
        client.subscribe(payment["id"], token=token)
        client.received.wait_for_steps(payment["id"])
        wrong = [
            (other["id"], token),
            (payment["id"], token[:-1]),
            (payment["id"], "x" * 43),
            (payment["id"], "ü" * 43),
            (payment["id"], "a.b.c"),
            (str(uuid.uuid4()), token),
            (payment["id"], ""),
        ]
        for payment_id, bad in wrong:
            client.subscribe(payment_id, token=bad)
        errors = client.received.wait_for("error", len(wrong))
        assert {error["code"] for error in errors} <= {"TOKEN_INVALID", "TOKEN_MISSING"}
        assert _updates(client, other["id"]) == []
        assert len(client.received.of("subscribed")) == 1


def test_other_spellings_of_an_id_match_no_payment(seller: Seller) -> None:
    payment_id = seller.sell()["id"]
    spellings = [
        payment_id.upper(),
        payment_id.replace("-", ""),
        f"{{{payment_id}}}",
        f"urn:uuid:{payment_id}",
    ]
    with python_client(seller.realtime_url, api_key=seller.merchant.api_key) as client:
        for text in spellings:
            client.subscribe(text)
        errors = client.received.wait_for("error", len(spellings))
        assert {error["code"] for error in errors} == {"NOT_FOUND"}


def test_a_merchant_s_connection_takes_no_user_s_token(seller: Seller) -> None:
    payment, named_user = seller.sell(), make_user(seller.app)
    with python_client(seller.realtime_url, api_key=seller.merchant.api_key) as client:
        client.subscribe(payment["id"], token=named_user.access_token)
        assert client.received.wait_for("error")[0]["code"] == "PERMISSION_DENIED"


def test_a_revoked_key_subscribes_to_nothing_more(seller: Seller) -> None:
    """Also on a connection it has opened, which ends later (test_rights.py)."""
    with seller.app.app_context():
        key = key_changes.add_api_key(seller.merchant.tenant_id, "second")[1]
    payment = seller.sell()
    with python_client(seller.realtime_url, api_key=key, reconnection=False) as client:
        client.subscribe(payment["id"])
        client.received.wait_for_steps(payment["id"])
        with seller.app.app_context():
            key_changes.revoke_api_key(key[:16])
        client.subscribe(payment["id"])
        assert client.received.wait_for("error")[0]["code"] == "INVALID_API_KEY"

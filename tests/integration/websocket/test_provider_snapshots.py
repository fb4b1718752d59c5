"""What a subscriber to a provider payment is shown first, which rooms its events go to, and its own token."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.errors import NotFound, TokenInvalid
from app.events.catalogue import EventType
from app.events.push_messages import PUSHED_EVENTS, push_of
from app.services.realtime import subscriptions
from app.services.realtime.tokens import is_realtime_token, realtime_token
from app.websocket import auth
from tests.support.tenants import MerchantClient, make_merchant


@pytest.fixture
def merchant(app: Flask) -> MerchantClient:
    return make_merchant(app)


@pytest.fixture
def payment(app: Flask, merchant: MerchantClient) -> dict[str, Any]:
    body = {
        "provider": "cpay",
        "amount": "12.34",
        "currency": "KES",
        "metadata": {"a": 1.5},
        "customer": {"id": "cust-9", "phone": "+254712345678"},
    }
    headers = merchant.headers | {"Idempotency-Key": uuid.uuid4().hex}
    answer = app.test_client().post("/api/v1/payments/initialize", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.get_json()["data"]


def test_the_row_of_an_unpublished_payment_says_what_its_first_event_will_say(
    app: Flask, merchant: MerchantClient, payment: dict[str, Any], publish
) -> None:
    with app.app_context():
        watched = subscriptions.find_payment(payment["id"])
        assert subscriptions.last_push(payment["id"]) is None
        before = subscriptions.last_sequence()
        publish()
        pushes, _ = subscriptions.pushes_after(before, limit=500)
        own = [push for push in pushes if push.payload.get("transaction", {}).get("id") == payment["id"]]
        last = subscriptions.last_push(payment["id"])

    assert watched.tenant_id == merchant.tenant_id and watched.parties == frozenset()
    assert watched.unpublished.payload["transaction"] == own[0].payload["transaction"]
    assert watched.unpublished.rooms == own[0].rooms
    assert watched.unpublished.payload["sequence"] is None
    assert own[0].payload["event_type"] == "payment.initiated"
    assert own[-1].payload["event_type"] == "payment.completed" and last == own[-1]
    tenant = merchant.tenant_id
    assert own[-1].rooms == (f"transaction_{payment['id']}", f"tenant_{tenant}", f"customer_{tenant}_cust-9")


def test_an_unknown_payment_is_not_found(app: Flask) -> None:
    with app.app_context(), pytest.raises(NotFound):
        subscriptions.find_payment(str(uuid.uuid4()))


def _push(customer_id: str | None, *, tenant_id: str = "t") -> Any:
    data = {
        "id": "p",
        "tenant_id": tenant_id,
        "amount_minor": 5,
        "currency": "JPY",
        "status": "completed",
        "customer": {"id": customer_id},
    }
    return push_of(EventType.PAYMENT_COMPLETED, "p", data, at=clock.now(), event_id="evt_1", sequence=7)


def test_a_customer_s_room_is_its_tenant_s_own() -> None:
    assert _push("c").rooms == ("transaction_p", "tenant_t", "customer_t_c")
    assert _push("c", tenant_id="u").rooms == ("transaction_p", "tenant_u", "customer_u_c")
    assert _push(None).rooms == _push("").rooms == ("transaction_p", "tenant_t")
    for name in ("usr_" + "0" * 32, "user_usr_x", "transaction_q"):
        assert _push(name).rooms[2].startswith("customer_t_")


def test_a_push_says_nothing_of_the_tenant() -> None:
    assert _push("c").payload["transaction"] == {
        "id": "p",
        "currency": "JPY",
        "status": "completed",
        "customer": {"id": "c"},
        "amount": 5,
    }


@pytest.mark.parametrize(("version", "pushed"), [(2, False), (3, True)])
def test_failure_codes_are_pushed_since_they_are_the_gateways_own(version: int, pushed: bool) -> None:
    data = {"version": version, "tenant_id": "t", "amount_minor": 5, "currency": "JPY", "status": "failed"}
    data |= {"payment_url": None, "refunded_minor": 0, "reviews": [], "failure_code": "declined"}
    sent = push_of(EventType.PAYMENT_FAILED, "p", data, at=clock.now(), event_id="evt_1", sequence=7)
    assert sent is not None and ("failure_code" in sent.payload["transaction"]) is pushed


def test_only_events_of_document_001_are_pushed() -> None:
    named = {
        "payment.initiated",
        "payment.processing",
        "payment.completed",
        "payment.failed",
        "payment.cancelled",
        "payment.verification_failed",
        "refund.initiated",
        "refund.processing",
        "refund.completed",
        "refund.failed",
    }
    assert named <= PUSHED_EVENTS
    for event_type in ("tenant.created", "api_key.created", "fee_rule.set", "wallet.opened", "payment"):
        assert event_type not in PUSHED_EVENTS
        assert push_of(event_type, "p", {}, at=clock.now(), event_id=None, sequence=None) is None


def test_realtime_token_is_bound_to_payment_and_installation(app: Flask, settings: dict[str, str]) -> None:
    from app import create_app

    one, other = uuid.uuid4(), uuid.uuid4()
    with app.app_context():
        token = realtime_token(one)
        assert len(token) == 43 and token == realtime_token(one)
        assert is_realtime_token(one, token)
        assert not any(
            is_realtime_token(one, bad) for bad in (realtime_token(other), token[:-1], "", "ü", token + "A")
        )
        assert auth.is_payment_token(str(one), token)
        assert not auth.is_payment_token(str(one), "a.b.c")  # an access token: checked by other code
        assert not auth.is_payment_token("pmt_" + "0" * 32, token)
        with pytest.raises(TokenInvalid):
            auth.is_payment_token(str(other), token)
    with create_app({**settings, "SECRET_KEY": "another-secret-key-" + "s" * 32}).app_context():
        assert not is_realtime_token(one, token)

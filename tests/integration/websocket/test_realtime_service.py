"""What a subscriber is shown first: the payment's last event, or its row while it is in no event."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock, ids
from app.errors import NotFound
from app.services.realtime import subscriptions
from tests.support.factories import SignedInUser, make_user, make_wallet


@pytest.fixture
def sender(app: Flask) -> SignedInUser:
    return make_user(app)


@pytest.fixture
def payment_id(app: Flask, client: FlaskClient, sender: SignedInUser) -> str:
    source = make_wallet(app, sender, balance="100")
    body = {
        "amount": "12.34",
        "currency": "USD",
        "source_wallet_id": source,
        "description": "rent",
        "metadata": {"a": 1.5},
        "destination": make_wallet(app, make_user(app)),
    }
    answer = client.post("/api/v1/payments", json=body, headers=sender.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json["payment_id"])


def test_the_row_of_an_unpublished_payment_says_what_its_event_will_say(
    app: Flask, payment_id: str, sender: SignedInUser, publish: Callable[[], None]
) -> None:
    with app.app_context():
        watched = subscriptions.find_payment(payment_id)
        assert subscriptions.last_push(payment_id) is None
        before = subscriptions.last_sequence()
        publish()
        pushes, last = subscriptions.pushes_after(before, limit=500)
        own = [push for push in pushes if push.payload.get("transaction", {}).get("id") == payment_id]
        pending, completed = own

        assert sender.user_id in watched.parties
        assert len(watched.parties) == 2
        assert watched.unpublished.payload["transaction"] == pending.payload["transaction"]
        assert watched.unpublished.rooms == pending.rooms
        assert watched.unpublished.payload["sequence"] is None
        assert subscriptions.last_push(payment_id) == completed
        assert completed.payload["sequence"] == last == subscriptions.last_sequence()
        assert subscriptions.pushes_after(last, limit=500) == ([], last)


@pytest.mark.parametrize(
    "public_id",
    ["", "pmt_", "pmt_" + "g" * 32, "PMT_" + "0" * 32, "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11", "pmt_\0"],
)
def test_other_words_are_no_payment(app: Flask, public_id: str) -> None:
    with app.app_context(), pytest.raises(NotFound):
        subscriptions.find_payment(public_id)


def test_an_unknown_payment_is_not_found(app: Flask) -> None:
    with app.app_context(), pytest.raises(NotFound):
        subscriptions.find_payment(ids.public(ids.PAYMENT, ids.uuid7()))


def test_only_live_sessions_are_live(app: Flask, client: FlaskClient) -> None:
    alive, left, disabled = make_user(app), make_user(app), make_user(app, is_active=False)
    client.post("/api/v1/auth/logout", headers=left.headers)
    asked = {alive.session_id, left.session_id, disabled.session_id, uuid.uuid4()}
    with app.app_context():
        assert subscriptions.live_sessions(asked, now=clock.now()) == {alive.session_id}
        clock.travel(clock.timedelta(days=31))
        assert subscriptions.live_sessions(asked, now=clock.now()) == set()

"""Hints of changes: for pages that others than the customer may open, so they carry nothing of the payment."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from flask import Flask

from app.services.realtime.tokens import changes_token, realtime_token
from tests.contract.realtime.test_provider_payments import Seller, demo, production, seller
from tests.support.realtime import PythonClient, python_client

__all__ = ["demo", "production", "seller"]


def subscribe(client: PythonClient, payment_id: object, token: object) -> None:
    client.emit("subscribe_changes", {"transaction_id": str(payment_id), "token": token})


def token_for(app: Flask, make: Callable[[uuid.UUID], str], payment_id: str) -> str:
    with app.app_context():
        return make(uuid.UUID(payment_id))


def test_a_change_is_pushed_without_the_payment(seller: Seller) -> None:
    payment = seller.sell(customer_id="cust-1")
    with python_client(seller.realtime_url) as client:
        subscribe(client, payment["id"], token_for(seller.app, changes_token, payment["id"]))
        (answer,) = client.received.wait_for("subscribed")
        assert answer["room"] == f"changes_{payment['id']}"
        assert seller.post(f"/{payment['id']}/refund").status_code == 200
        hints = client.received.wait_for("transaction_changed", 2)
        assert hints[-1] == {"transaction_id": payment["id"]}
        assert set(client.received.names()) == {"connected", "subscribed", "transaction_changed"}


@pytest.mark.parametrize("given", ["nonsense", "another's", "of another kind", None, 5])
def test_only_the_payment_s_own_token_is_taken(seller: Seller, given: object) -> None:
    """In demo mode, too."""
    payment, other = seller.sell(), seller.sell()
    if given == "another's":
        given = token_for(seller.app, changes_token, other["id"])
    if given == "of another kind":
        given = token_for(seller.app, realtime_token, payment["id"])
    with python_client(seller.realtime_url) as client:
        subscribe(client, payment["id"], given)
        (error,) = client.received.wait_for("error")
        assert error["code"] == ("INVALID_REQUEST" if given == 5 else "TOKEN_INVALID")
        assert "subscribed" not in client.received.names()


def test_it_does_not_open_the_payment_itself(production: Seller) -> None:
    payment = production.sell()
    token = token_for(production.app, changes_token, payment["id"])
    with python_client(production.realtime_url) as client:
        client.subscribe(payment["id"], token=token)
        (error,) = client.received.wait_for("error")
        assert error["code"] == "TOKEN_INVALID"
        assert "transaction_update" not in client.received.names()

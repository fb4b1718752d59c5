"""Wallet payments through the test client, and tokens that stay valid when the clock is moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock
from app.models import UserSession
from app.services.identity import tokens
from app.unit_of_work import reading
from tests.support.factories import SignedInUser

Outcome = tuple[int, str]


def pay(
    client: FlaskClient,
    sender: SignedInUser,
    source: str,
    destination: str,
    amount: object,
    *,
    key: str | None = None,
    **more: Any,
) -> TestResponse:
    """POST /payments."""
    body = {"amount": amount, "source_wallet_id": source, "destination": destination} | more
    return client.post("/api/v1/payments", json=body, headers=_headers(sender, key))


def pay_batch(
    client: FlaskClient, sender: SignedInUser, source: str, payments: list[Any], *, key: str | None = None
) -> TestResponse:
    """POST /payments/batch."""
    body = {"source_wallet_id": source, "payments": payments}
    return client.post("/api/v1/payments/batch", json=body, headers=_headers(sender, key))


def outcome(answer: TestResponse) -> Outcome:
    """(201, "pending") or the refusal's (status, code)."""
    word = answer.json["error"]["code"] if answer.status_code >= 400 else answer.json["status"]
    return answer.status_code, word


def outcomes(answer: TestResponse) -> list[str]:
    """Each item of a batch: pending, or its refusal's code."""
    assert answer.status_code == 201, answer.json
    return [
        item["error"]["code"] if item["status"] == "failed" else item["status"]
        for item in answer.json["results"]
    ]


def travel_to(moment: datetime) -> None:
    """Set this process's clock."""
    clock.travel(moment - clock.now())


def with_new_token(app: Flask, user: SignedInUser) -> SignedInUser:
    """The same user in the same session with a token of this moment."""
    with app.app_context():
        with reading() as session:
            opened = session.get_one(UserSession, user.session_id)
        pair = tokens.issue(user.user_id, session_id=user.session_id, refresh_id=opened.refresh_id)
    return replace(user, access_token=pair.access_token)


def _headers(sender: SignedInUser, key: str | None) -> dict[str, str]:
    return sender.headers | ({"Idempotency-Key": key} if key else {})

"""A secret is taken in one spelling, as it was issued, and a token's user must be its session's."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.integration.http.conftest import Payer
from tests.support.factories import make_user
from tests.support.tenants import make_merchant

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def with_unused_bit(token: str) -> str:
    """The same bytes: the last of the 43 characters of 32 bytes has two unused bits."""
    return token[:-1] + ALPHABET[ALPHABET.index(token[-1]) ^ 1]


SPELLINGS: list[Callable[[str], str]] = [
    lambda token: token + "=",
    lambda token: token + "==",
    lambda token: token.replace(".", "=."),
    lambda token: token.replace("_", "/").replace("-", "+") + "=",
    lambda token: token[:-5] + "\u00a0" + token[-5:],
    lambda token: token + "\u00a0",
    lambda token: token + "." + token.rpartition(".")[2],
    with_unused_bit,
]


@pytest.mark.parametrize("respell", SPELLINGS)
def test_an_access_or_refresh_token_has_one_spelling(
    app: Flask, client: FlaskClient, respell: Callable[[str], str]
) -> None:
    user = make_user(app)
    headers = {"HTTP_AUTHORIZATION": f"Bearer {respell(user.access_token)}"}
    for path in ("/api/v1/accounts", "/api/v1/kyc/status", "/api/v1/payments"):
        assert client.get(path, environ_overrides=headers).status_code == 401
    refreshed = client.post("/api/v1/auth/refresh", json={"refresh_token": respell(user.refresh_token)})
    assert (refreshed.status_code, refreshed.json["error"]["code"]) == (401, "TOKEN_INVALID")
    genuine = client.post("/api/v1/auth/refresh", json={"refresh_token": user.refresh_token})
    assert genuine.status_code == 200


def test_an_api_key_has_one_spelling(app: Flask, client: FlaskClient) -> None:
    key = make_merchant(app).api_key
    spellings = [key + "=", with_unused_bit(key), key.upper(), key + "\u00a0", f"{key},{key}"]
    sent = [{"HTTP_X_TENANT_API_KEY": spelling} for spelling in spellings]
    sent += [{"HTTP_AUTHORIZATION": f"Bearer {spelling}"} for spelling in spellings]
    for environ in sent:
        assert client.get("/api/v1/payments", environ_overrides=environ).status_code == 401, environ
    assert client.get("/api/v1/payments", headers={"X-TENANT-API-KEY": key}).status_code == 200


def test_the_user_of_a_token_is_the_sessions(app: Flask, client: FlaskClient, payer: Payer) -> None:
    """Broken by: a paying statement that asks the session alone who pays."""
    claims: dict[str, Any] = jwt.decode(payer.user.access_token, options={"verify_signature": False})
    other = jwt.decode(payer.recipient.access_token, options={"verify_signature": False})
    forged = jwt.encode(claims | {"sub": other["sub"]}, app.config["JWT_SECRET_KEY"], algorithm="HS256")
    headers = {"Authorization": f"Bearer {forged}"}
    batch = {
        "source_wallet_id": payer.wallet,
        "payments": [{"amount": 1, "currency": "USD", "destination": payer.recipient_wallet}],
    }
    answers = [
        client.get("/api/v1/accounts", headers=headers),
        client.post("/api/v1/payments", json=payer.payment_body(), headers=headers),
        client.post("/api/v1/payments/batch", json=batch, headers=headers),
        client.post("/api/v1/auth/logout", headers=headers),
    ]
    assert [(answer.status_code, answer.json["error"]["code"]) for answer in answers] == [
        (401, "TOKEN_INVALID")
    ] * 4

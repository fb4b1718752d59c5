"""Tokens that are none, tokens of other kinds, tokens whose time or session is over."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.services.identity import authentication
from tests.support.factories import SignedInUser, make_user

SECRET = "test-jwt-secret-key-" + "j" * 32


def _get(client: FlaskClient, authorization: str | None, path: str = "/api/v1/accounts") -> Any:
    return client.get(path, headers={"Authorization": authorization} if authorization is not None else {})


def _code(answer: Any) -> str:
    assert answer.status_code == 401, answer.data
    code: str = answer.get_json()["error"]["code"]
    return code


def _claims(user: SignedInUser, **differing: Any) -> dict[str, Any]:
    claims = jwt.decode(user.access_token, options={"verify_signature": False})
    return {name: value for name, value in (claims | differing).items() if value is not ...}


def _signed(claims: dict[str, Any], *, key: str = SECRET, algorithm: str = "HS256", **header: Any) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers=header or None)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture
def user(app: Flask) -> SignedInUser:
    return make_user(app)


def test_the_tests_own_signature_is_good(client: FlaskClient, user: SignedInUser) -> None:
    """So that the tricks below fail for what they change, not for the key."""
    assert _get(client, f"Bearer {_signed(_claims(user))}").status_code == 200


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token x", "Digest a=b", " "]
)
def test_no_token(client: FlaskClient, authorization: str | None) -> None:
    assert _code(_get(client, authorization)) == "TOKEN_MISSING"


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "null",
        "e30.e30.e30",
        "é",
        "\xff",
        "x" * 3000,
        "a." * 1000,
        "{}",
    ],
)
def test_no_token_at_all(client: FlaskClient, token: str) -> None:
    answer = client.get("/api/v1/accounts", environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {token}"})
    assert _code(answer) == "TOKEN_INVALID"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_spelt_as_one_likes(client: FlaskClient, user: SignedInUser, scheme: str) -> None:
    assert _get(client, f"{scheme} {user.access_token}").status_code == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
def test_unsigned(client: FlaskClient, user: SignedInUser, algorithm: str) -> None:
    for signature in ("", user.access_token.split(".")[2]):
        token = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(_claims(user))}.{signature}"
        assert _code(_get(client, f"Bearer {token}")) == "TOKEN_INVALID"


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm(client: FlaskClient, user: SignedInUser, algorithm: str) -> None:
    token = _signed(_claims(user), key=SECRET + "x" * 64, algorithm=algorithm)
    assert _code(_get(client, f"Bearer {token}")) == "TOKEN_INVALID"
    assert _code(_get(client, f"Bearer {_signed(_claims(user), key='k' * 40)}")) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../dev/null"},
        {"jku": "http://127.0.0.1/keys"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"x5u": "x"},
    ],
)
def test_keys_named_by_the_token_are_not_looked_for(
    client: FlaskClient, user: SignedInUser, header: dict[str, Any]
) -> None:
    token = _signed(_claims(user), key="k" * 40, **header)
    assert _code(_get(client, f"Bearer {token}")) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "differing",
    [
        {"sub": "usr_x"},
        {"sub": 5},
        {"sub": None},
        {"sub": ...},
        {"sub": "usr_" + "0" * 32},
        {"sub": "acc_" + "0" * 32},
        {"sid": "x"},
        {"sid": ...},
        {"sid": None},
        {"sid": "0" * 32},
        {"sid": {"$ne": 1}},
        {"jti": ...},
        {"jti": "x"},
        {"iss": "else"},
        {"iss": ...},
        {"aud": "else"},
        {"aud": ...},
        {"aud": []},
        {"exp": ...},
        {"exp": "x"},
        {"exp": 10**30},
        {"exp": -(10**30)},
        {"exp": None},
        {"type": "refresh"},
        {"type": ...},
        {"type": None},
        {"type": "admin"},
        {"iat": 10**11},
        {"iat": ...},
    ],
    ids=str,
)
def test_claims_that_are_wrong(client: FlaskClient, user: SignedInUser, differing: dict[str, Any]) -> None:
    assert _code(_get(client, f"Bearer {_signed(_claims(user, **differing))}")) == "TOKEN_INVALID"


def test_claims_give_no_rights(client: FlaskClient, app: Flask, user: SignedInUser) -> None:
    """A signed token of one user with the session of another is refused."""
    other = make_user(app)
    token = _signed(_claims(user, sid=other.session_id.hex))
    assert _code(_get(client, f"Bearer {token}")) == "TOKEN_INVALID"


def test_a_refresh_token_opens_nothing(client: FlaskClient, user: SignedInUser) -> None:
    assert _code(_get(client, f"Bearer {user.refresh_token}")) == "TOKEN_INVALID"
    answer = client.post(
        "/api/v1/payments", json={}, headers={"Authorization": f"Bearer {user.refresh_token}"}
    )
    assert _code(answer) == "TOKEN_INVALID"


def test_an_old_token(client: FlaskClient, app: Flask, user: SignedInUser) -> None:
    clock.travel(timedelta(seconds=app.config["ACCESS_TOKEN_TTL_S"] - 5))
    assert _get(client, f"Bearer {user.access_token}").status_code == 200
    clock.travel(timedelta(seconds=10))
    assert _code(_get(client, f"Bearer {user.access_token}")) == "TOKEN_EXPIRED"


def test_a_session_that_ended(client: FlaskClient, app: Flask, payer) -> None:
    with app.app_context():
        authentication.log_out(payer.user.actor)
    assert _code(_get(client, f"Bearer {payer.user.access_token}")) == "TOKEN_INVALID"
    # The paying route has a guard that does not look; its statement does.
    assert (
        _code(client.post("/api/v1/payments", json=payer.payment_body(), headers=payer.headers))
        == "TOKEN_INVALID"
    )
    batch = {
        "source_wallet_id": payer.wallet,
        "payments": [{"amount": 1, "destination": payer.recipient_wallet}],
    }
    assert _code(client.post("/api/v1/payments/batch", json=batch, headers=payer.headers)) == "TOKEN_INVALID"


def test_a_disabled_user(client: FlaskClient, app: Flask, payer) -> None:
    from sqlalchemy import update

    from app.models import User
    from app.unit_of_work import transaction

    statement = update(User).where(User.id == payer.user.user_id).values(is_active=False)
    with app.app_context():
        transaction(lambda session: session.execute(statement))
    assert _code(_get(client, f"Bearer {payer.user.access_token}")) == "TOKEN_INVALID"
    assert (
        _code(client.post("/api/v1/payments", json=payer.payment_body(), headers=payer.headers))
        == "TOKEN_INVALID"
    )


def test_unknown_session_is_refused(client: FlaskClient, user: SignedInUser) -> None:
    token = _signed(_claims(user, sid=uuid.uuid4().hex))
    assert _code(_get(client, f"Bearer {token}")) == "TOKEN_INVALID"


def test_gateway_list_uses_its_own_error_format(client: FlaskClient) -> None:
    answer = client.get("/api/v1/payments")
    assert answer.status_code == 401 and answer.get_json()["success"] is False

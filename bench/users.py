"""Users with a funded wallet each, and the requests they make."""

from __future__ import annotations

import random
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from psycopg2.extras import execute_values

from app import create_app, ids
from app.services.identity import tokens
from bench.client import Request
from bench.stack import Stack

CURRENCY = "USD"
FUNDS_MINOR = 50_000_000_00
TIER = 3
VARIANTS = 2000
"""Requests prepared in advance; each is sent repeatedly, with a new key every time."""
BATCH_VARIANTS = 32

_FUND = """
WITH wallet AS (SELECT id, public_id, owner_id, uuidv7() AS entry, uuidv7() AS movement FROM accounts WHERE kind = 'wallet'),
posted AS (
  SELECT ledger_post(%(now)s, w.entry, NULL, 'deposit', w.movement, %(currency)s, ARRAY[%(outside)s, w.id],
    ARRAY[-%(amount)s, %(amount)s]::bigint[], NULL) FROM wallet w ORDER BY w.id)
INSERT INTO direct_fundings (id, kind, user_id, account_id, entry_id, amount, currency, counterparty, created_at)
SELECT w.movement, 'deposit', w.owner_id, w.id, w.entry, %(amount)s, %(currency)s, 'bank', %(now)s
FROM wallet w, (SELECT count(*) FROM posted) p
"""


@dataclass(frozen=True)
class User:
    """A user with one wallet and an access token."""

    user_id: uuid.UUID
    email: str
    wallet: str
    token: str


def make_users(stack: Stack, count: int) -> list[User]:
    """`count` users of the highest tier, each with a session, a wallet and 50 million US dollars."""
    now = datetime.now(UTC)
    app = create_app(stack.environment)
    users, user_rows, sessions = [], [], []
    with app.app_context():
        for number in range(count):
            user_id, session_id, refresh_id = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
            email = f"user{number:05d}@example.com"
            user_rows.append((str(user_id), email, "never logs in", "Bench", "User", TIER, True, now, now))
            sessions.append((str(session_id), str(user_id), str(refresh_id), now, now + timedelta(days=1)))
            pair = tokens.issue(user_id, session_id=session_id, refresh_id=refresh_id)
            users.append(User(user_id, email, ids.wallet(), pair.access_token))
    with closing(stack.connect()) as connection, connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO users (id, email, password_hash, first_name, last_name, tier, is_active, created_at, "
            "email_confirmed_at) VALUES %s",
            user_rows,
        )
        execute_values(
            cursor,
            "INSERT INTO sessions (id, user_id, refresh_id, created_at, expires_at) VALUES %s",
            sessions,
        )
        cursor.execute(
            "SELECT account_open(%s, %s, NULL, NULL, 'external', NULL, NULL, %s, false)",
            (now, f"external:{CURRENCY}", CURRENCY),
        )
        (outside,) = cursor.fetchone()
        cursor.execute(
            "SELECT account_open(%s, wallet, NULL, owner::uuid, 'wallet', 'personal', NULL, %s, true) "
            "FROM unnest(%s::text[], %s::text[]) AS new_wallet (wallet, owner)",
            (now, CURRENCY, [user.wallet for user in users], [str(user.user_id) for user in users]),
        )
        cursor.execute(_FUND, {"now": now, "currency": CURRENCY, "amount": FUNDS_MINOR, "outside": outside})
    return users


def payments(stack: Stack, users: list[User], *, to: User | None = None) -> list[Request]:
    """Single payments of one cent between random users (half by e-mail address), or all to one user."""
    return [_payment(stack, *_pair(users, to)) for _ in range(VARIANTS)]


def batches(stack: Stack, users: list[User], size: int) -> list[Request]:
    """Batches of `size` payments of one cent to many users. Each has another payer: batches from one wallet wait
    for each other."""
    made = []
    for payer in random.sample(users, BATCH_VARIANTS):
        others = [user for user in random.choices(users, k=size + 50) if user is not payer]
        body = {
            "source_wallet_id": payer.wallet,
            "payments": [
                {"amount": "0.01", "currency": CURRENCY, "destination": other.wallet}
                for other in others[:size]
            ],
        }
        made.append(_request(stack, payer, "/api/v1/payments/batch", body))
    return made


def _pair(users: list[User], to: User | None) -> tuple[User, User]:
    payer = random.choice(users)
    payee = to or random.choice(users)
    return (payer, payee) if payer is not payee else _pair(users, to)


def _payment(stack: Stack, payer: User, payee: User) -> Request:
    body = {
        "amount": "0.01",
        "currency": CURRENCY,
        "source_wallet_id": payer.wallet,
        "destination": random.choice((payee.wallet, payee.email)),
        "description": "Lunch",
        "metadata": {"order_id": "ORD-12345"},
    }
    return _request(stack, payer, "/api/v1/payments", body)


def _request(stack: Stack, payer: User, path: str, body: object) -> Request:
    content = orjson.dumps(body)
    before = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{stack.port}\r\nAuthorization: Bearer {payer.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nIdempotency-Key: "
    )
    return before.encode(), b"\r\n\r\n" + content

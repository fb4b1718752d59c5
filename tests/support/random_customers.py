"""Customers in a process of their own: they pay, deposit and withdraw at random, and retry until they have an answer.

Every operation has an idempotency key; a broken connection, a time-out, 409, 429 and 5xx are retried with the same key
and body. A tenth of the answers is discarded.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

RETRY_FOR_S = 60.0
ANSWER_TIMEOUT_S = 15.0
RETRY_PAUSE_S = 0.2
PAUSE_S = 0.1
LOST_ANSWERS = 0.1
RETRIED = (409, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Customer:
    """A user's token and wallet; `friends` are destinations."""

    token: str
    wallet: str
    friends: list[str]
    seed: int


@dataclass
class RequestLog:
    """What a customer was answered: payment id → cents, transaction id → signed cents, and every status seen."""

    payments: dict[str, int] = field(default_factory=dict)
    cash: dict[str, int] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    failed_connections: int = 0
    operations: int = 0
    slowest_s: float = 0.0


def run_customers(
    url: str, customers: list[Customer], least: int, stop: Path, has_keys: bool = True
) -> list[RequestLog]:
    """Run every customer in a thread: at least `least` operations each, until the file `stop` exists."""
    with ThreadPoolExecutor(len(customers)) as pool:
        return list(pool.map(lambda customer: _run_customer(url, customer, least, stop, has_keys), customers))


def _run_customer(url: str, customer: Customer, least: int, stop: Path, has_keys: bool) -> RequestLog:
    log, rng = RequestLog(), random.Random(customer.seed)
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {customer.token}"
        while log.operations < least or not stop.exists():
            path, body = _operation(rng, customer)
            key = secrets.token_hex(16) if has_keys else None
            began = time.monotonic()
            answer = _post_until_answered(session, url + path, body, key, log, rng)
            log.slowest_s = max(log.slowest_s, time.monotonic() - began)
            log.operations += 1
            _record(path, answer, log)
            time.sleep(rng.random() * PAUSE_S)
    return log


def _operation(rng: random.Random, customer: Customer) -> tuple[str, dict[str, Any]]:
    amount = f"0.{rng.randint(1, 99):02d}"
    kind = rng.random()
    if kind < 0.7:
        return "/api/v1/payments", {
            "amount": amount,
            "source_wallet_id": customer.wallet,
            "destination": rng.choice(customer.friends),
        }
    if kind < 0.8:
        items = [{"amount": amount, "destination": friend} for friend in rng.choices(customer.friends, k=3)]
        return "/api/v1/payments/batch", {"source_wallet_id": customer.wallet, "payments": items}
    if kind < 0.9:
        return f"/api/v1/accounts/{customer.wallet}/deposit", {"amount": amount, "source": "card"}
    return f"/api/v1/accounts/{customer.wallet}/withdraw", {"amount": amount, "destination": "KE00 1"}


def _post_until_answered(
    session: requests.Session,
    url: str,
    body: dict[str, Any],
    key: str | None,
    log: RequestLog,
    rng: random.Random,
) -> requests.Response:
    deadline = time.monotonic() + RETRY_FOR_S
    headers = {"Idempotency-Key": key} if key else {}
    while time.monotonic() < deadline:
        try:
            answer = session.post(url, json=body, headers=headers, timeout=ANSWER_TIMEOUT_S)
        except requests.RequestException:
            log.failed_connections += 1
        else:
            log.statuses[answer.status_code] += 1
            if answer.status_code not in RETRIED and rng.random() > LOST_ANSWERS:
                return answer
        time.sleep(RETRY_PAUSE_S)
    raise AssertionError(f"no answer within {RETRY_FOR_S:g} s: {url}")


def _record(path: str, answer: requests.Response, log: RequestLog) -> None:
    answers = answer.json()
    if answer.status_code >= 400:
        assert answers["error"]["code"] == "INSUFFICIENT_BALANCE", answers
        return
    for item in answers["results"] if path.endswith("batch") else [answers]:
        cents = int(item["amount"].replace(".", "")) if "amount" in item else 0
        if item.get("payment_id"):
            log.payments[item["payment_id"]] = cents
        elif "transaction_id" in item:
            log.cash[item["transaction_id"]] = cents if path.endswith("deposit") else -cents

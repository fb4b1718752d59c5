"""The relay dead through much traffic, and a reader who holds an old snapshot: nobody waits, nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest
import requests

from tests.storms.conftest import Site, a_site
from tests.support.database import connection, run
from tests.support.factories import Person, balance_of, make_user, make_wallet
from tests.support.soundness import assert_sound, query

BATCHES, BATCH = 12, 500


def _pay(site: Site, sender: Person, source: str, destination: str) -> float:
    """Seconds one payment takes."""
    body = {"amount": "0.01", "currency": "USD", "source_wallet_id": source, "destination": destination}
    began = time.monotonic()
    answer = requests.post(f"{site.house.url}/api/v1/payments", json=body, headers=sender.headers, timeout=10)
    assert answer.status_code == 201, answer.text
    return time.monotonic() - began


def _pay_batch(site: Site, sender: Person, source: str, destination: str) -> None:
    body = {"source_wallet_id": source, "payments": [{"amount": "0.01", "destination": destination}] * BATCH}
    answer = requests.post(
        f"{site.house.url}/api/v1/payments/batch", json=body, headers=sender.headers, timeout=30
    )
    assert answer.json()["succeeded"] == BATCH, answer.text[:500]


@pytest.fixture
def own_site(tmp_path: Path):
    with a_site(tmp_path) as made:
        yield made


def test_an_hour_without_a_relay(own_site: Site) -> None:
    """Thousands of payments wait in the outbox and as credits; balances are right all the while."""
    site = own_site
    sender, recipient = make_user(site.app, tier=3), make_user(site.app, tier=3)
    source = make_wallet(site.app, sender, balance="1000.00")
    destination = make_wallet(site.app, recipient)
    usual = median(_pay(site, sender, source, destination) for _ in range(20))
    site.house.kill("relay")
    for _ in range(BATCHES):
        _pay_batch(site, sender, source, destination)
    alone = median(_pay(site, sender, source, destination) for _ in range(20))
    assert alone < 5 * usual + 0.05
    paid = BATCHES * BATCH + 40
    assert balance_of(site.app, recipient, destination) == f"{paid / 100:.2f}"
    # The recipient spends what only waits: more than their row holds.
    body = {
        "amount": "50.00", "currency": "USD", "source_wallet_id": destination, "destination": source,
    }  # fmt: skip
    spent = requests.post(
        f"{site.house.url}/api/v1/payments", json=body, headers=recipient.headers, timeout=10
    )
    assert spent.status_code == 201
    site.house.start("relay")
    assert_sound(site.app, timeout_s=60)
    assert balance_of(site.app, recipient, destination) == f"{(paid - 5000) / 100:.2f}"


def test_a_reader_with_an_old_snapshot_stalls_nobody(own_site: Site) -> None:
    """Dead rows cannot be removed meanwhile; publishing must not walk over them again and again."""
    site = own_site
    sender, recipient = make_user(site.app, tier=3), make_user(site.app, tier=3)
    source = make_wallet(site.app, sender, balance="1000.00")
    destination = make_wallet(site.app, recipient)
    with connection(site.settings, as_owner=True, is_autocommit=False) as reader:
        run(reader, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        run(reader, "SELECT count(*) FROM outbox")
        for _ in range(BATCHES):
            _pay_batch(site, sender, source, destination)
        assert_published_quickly(site, sender, source, destination)
        assert run(reader, "SELECT count(*) FROM wallet_payments") == [(0,)]
    assert_sound(site.app, timeout_s=30)


def assert_published_quickly(site: Site, sender: Person, source: str, destination: str) -> None:
    assert_sound(site.app, timeout_s=60)
    for _ in range(10):
        _pay(site, sender, source, destination)
        time.sleep(0.1)
    lags = query(
        site.app,
        "SELECT extract(epoch FROM completed_at - created_at)::float FROM wallet_payments ORDER BY id DESC LIMIT 10",
    )
    assert median(lag for (lag,) in lags) < 0.3


def test_a_standby_takes_over(own_site: Site) -> None:
    """A second relay waits for the lock, and works within a second of the first one's death."""
    site = own_site
    sender, recipient = make_user(site.app, tier=3), make_user(site.app, tier=3)
    source = make_wallet(site.app, sender, balance="10.00")
    destination = make_wallet(site.app, recipient)
    site.house.kill("relay")
    _pay(site, sender, source, destination)
    assert query(site.app, "SELECT status FROM wallet_payments") == [("pending",)]
    site.house.start("relay")
    assert_sound(site.app)

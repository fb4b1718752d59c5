"""kill -9 of the web process while three payouts are at their providers, one by each method: each is paid once, and either
posted or held.

Real processes. The providers do what they were asked although no process waits for the answer any more.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from sqlalchemy import text

from app import ledger
from app.models.member import Role
from app.unit_of_work import reading, transaction
from launcher.embedded import EmbeddedRedis
from tests.support.full_stack import FullStack, running_full_stack
from tests.support.tenants import MemberClient, fund_merchant, make_member
from tests.support.waiting import wait_until
from tests.support.withdrawals import DETAILS

DELAY_S = 3.0
REACHED_S = 1.0
"""After this long the providers have the requests, and have not answered."""
TIMEOUT_S = 4
_SENDING = "SELECT count(*) FROM payouts WHERE state = 'sending'"
_STATES = """
SELECT o.method, o.state, h.state FROM payouts o JOIN holds h ON h.ref_id = o.withdrawal_id ORDER BY o.method
"""
_OLDER = (
    "UPDATE payouts SET sent_at = sent_at - interval '1 minute' WHERE state = 'sending'",
    "UPDATE jobs SET run_at = run_at - interval '1 minute' WHERE kind = 'payout.follow_up' AND state = 'due'",
)


@pytest.fixture
def full_stack(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[FullStack]:
    with running_full_stack(
        redis_server, tmp_path, WEB_THREADS="32", PROVIDER_TIMEOUT_S=str(TIMEOUT_S)
    ) as running:
        yield running


def _post(stack: FullStack, member: MemberClient, path: str, body: dict[str, object]) -> requests.Response:
    url = f"{stack.processes.url}/v1/wallet/withdrawals{path}"
    return requests.post(url, json=body, headers=member.headers, timeout=30)


def test_payouts_survive_the_death_of_whoever_sends_them(full_stack: FullStack) -> None:
    fund_merchant(full_stack.app, full_stack.merchant, 10_000_00)
    finance = make_member(full_stack.app, full_stack.merchant, Role.FINANCE)
    manager = make_member(full_stack.app, full_stack.merchant, Role.FINANCE_ADMIN)
    ids = {}
    for method, details in DETAILS.items():
        body = {"amount": 1000, "method_type": method, "method_details": details}
        ids[method] = _post(full_stack, finance, "", body).json()["transaction_id"]
    rules = [{"fault": "delay", "seconds": DELAY_S, "operation": name} for name in ("b2c", "b2b", "transfer")]
    full_stack.control({"rules": rules})
    _approve_and_kill(full_stack, manager, list(ids.values()))
    full_stack.processes.start("web")
    full_stack.control({"rules": []})
    with full_stack.app.app_context():
        for statement in _OLDER:
            transaction(lambda session, sql=statement: session.execute(text(sql)))
    wait_until(
        lambda: (
            full_stack.query(_STATES)[:2]
            == [("bank_transfer", "completed", "captured"), ("mpesa", "completed", "captured")]
        ),
        "what can be queried to end",
        timeout_s=60,
        every_s=0.3,
    )
    # Where the result of a payment to a till came while nothing listened, nothing can be queried: it waits, held.
    assert full_stack.query(_STATES)[2] in [("till", "completed", "captured"), ("till", "unknown", "open")]
    books = [entry for name in ("mpesa", "paystack") for entry in full_stack.book(name)["entries"]]
    paid = Counter(entry["amount"] for entry in books if entry["kind"] == "payout")
    assert sorted(map(float, paid.elements())) == [950, 967, 973]
    with full_stack.app.app_context(), reading() as session:
        assert [str(finding) for finding in ledger.check(session)] == []


def _approve_and_kill(full_stack: FullStack, manager: MemberClient, ids: list[str]) -> None:
    """All three are being sent when the process that sends them dies."""

    def approve(withdrawal_id: str) -> None:
        with suppress(requests.RequestException):  # the server dies under it
            _post(full_stack, manager, f"/{withdrawal_id}/approve", {})

    threads = [threading.Thread(target=approve, args=(withdrawal_id,)) for withdrawal_id in ids]
    for thread in threads:
        thread.start()
    wait_until(lambda: full_stack.query(_SENDING) == [(3,)], "three payouts to be sent", every_s=0.02)
    time.sleep(REACHED_S)
    full_stack.processes.kill("web")
    for thread in threads:
        thread.join()

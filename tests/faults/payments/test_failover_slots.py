"""A payment that fails over to the next provider takes a slot there and releases its first one.

The first provider times out and the second hangs: only the second's slots are occupied.

Seen failing when the next provider is called in the first one's slot, and when that slot is not released.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.bulkhead import Bulkheads
from tests.faults.payments.lost_commits import forget_in_redis
from tests.support.gateway import Gateway
from tests.support.waiting import wait_until

FIRST, SECOND = "paystack", "stripe"
SLOTS = 2
LONG_S = 60


def _free(bulkheads: Bulkheads, provider: str) -> int:
    taken = 0
    while taken < SLOTS and bulkheads.try_acquire(provider):
        taken += 1
    for _ in range(taken):
        bulkheads.release(provider)
    return taken


def test_hanging_provider_occupies_only_its_own_slots(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_in_redis(gateway, "malipo:health:*")
    gateway.sandbox.control(
        {"rules": [{"fault": "rate_limit", "provider": FIRST, "operation": "initialize"}]}
    )
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", bulkheads := Bulkheads(SLOTS))
    with gateway.app.app_context():
        second = provider_accounts.for_tenant(gateway.tenant_id, SECOND).provider
    inside: list[int] = []
    release = threading.Event()
    real = second._charge

    def hangs(request: Any) -> Any:
        answer = real(request)  # it has acted; its answer does not come
        inside.append(1)
        assert release.wait(LONG_S)
        return answer

    monkeypatch.setattr(second, "_charge", hangs)
    request_body = {"provider": "auto", "amount": 2_000, "currency": "NGN"}
    with ThreadPoolExecutor(SLOTS) as pool:
        try:
            waiting = []
            for number in range(SLOTS):
                waiting.append(pool.submit(gateway.initialize, **request_body))
                wait_until(
                    lambda n=number: len(inside) > n, "the order to reach the second", timeout_s=LONG_S
                )
            assert (_free(bulkheads, FIRST), _free(bulkheads, SECOND)) == (SLOTS, 0)
            queued = gateway.initialize(**request_body)
            assert not any(one.done() for one in waiting)
            assert len(inside) == SLOTS
        finally:
            release.set()
        answers = [*(one.result(LONG_S) for one in waiting), queued]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert queued.json()["data"]["status"] == "processing"
    assert (_free(bulkheads, FIRST), _free(bulkheads, SECOND)) == (SLOTS, SLOTS)
    for answer in answers:
        payment_id = answer.json()["data"]["id"]
        assert gateway.settle(payment_id)["status"] == "completed"
        assert [(a.provider, a.state) for a in gateway.attempts(payment_id)] == [
            (FIRST, "failed"),
            (SECOND, "succeeded"),
        ]
        assert gateway.charged(payment_id) == [2_000]
    gateway.assert_ledger_matches_providers()

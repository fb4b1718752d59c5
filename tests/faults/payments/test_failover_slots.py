"""A payment that fails over to the next provider takes a slot there and releases its first one.

The first provider refuses and the second hangs: only the second's slots are occupied. Each failover is an event.

Seen failing when the next provider is called in the first one's slot, when that slot is not released, when the second
one's is not released before the third is called, and when no event is recorded.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.providers.errors import RateLimited
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


def test_each_failover_releases_a_slot_and_is_an_event(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_in_redis(gateway, "malipo:health:*")
    monkeypatch.setitem(gateway.app.extensions, "bulkheads", bulkheads := Bulkheads(SLOTS))
    called: list[str] = []
    free: list[list[int]] = []
    with gateway.app.app_context():
        for provider in (bound.provider for bound in provider_accounts.available(gateway.tenant_id).values()):

            def charge(request: Any, name: str = provider.name, real: Any = provider._charge) -> Any:
                free.append([_free(bulkheads, before) for before in called])
                called.append(name)
                if len(called) < 3:
                    raise RateLimited
                return real(request)

            monkeypatch.setattr(provider, "_charge", charge)
    payment_id = gateway.begin("auto", 20, currency="USD")
    assert free == [[], [SLOTS], [SLOTS, SLOTS]]
    assert gateway.settle(payment_id)["status"] == "completed"
    events = gateway.rows(
        "SELECT data, is_public FROM outbox WHERE object_id = :p AND type = 'payment.failed_over' ORDER BY id",
        p=payment_id,
    )
    first, second, third = (str(attempt.id) for attempt in gateway.attempts(payment_id))
    assert [(event.data, event.is_public) for event in events] == [
        (_failover(called[0], first, called[1], second), False),
        (_failover(called[1], second, called[2], third), False),
    ]


def _failover(from_provider: str, from_attempt: str, to_provider: str, to_attempt: str) -> dict[str, str]:
    return {
        "from_provider": from_provider,
        "from_attempt_id": from_attempt,
        "to_provider": to_provider,
        "to_attempt_id": to_attempt,
        "reason": "rate_limited",
    }

"""M-Pesa's pushes and commands end only once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT
from app.sandbox.mpesa.payments import Pushes
from app.sandbox.mpesa.simulator import Simulator
from tests.support.daraja import PHONE
from tests.support.sandbox_parts import opened

UNREACHABLE = "http://127.0.0.1:9/stk"


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Sandbox]:
    """The parts, not started: no timer runs."""
    sandbox = opened(tmp_path, autopay_s=None)
    yield sandbox
    sandbox.close()


def a_push(pushes: Pushes) -> str:
    asked = {
        "shortcode": "174379",
        "type": "CustomerPayBillOnline",
        "amount": 100,
        "phone": PHONE,
        "party_b": "174379",
        "callback_url": UNREACHABLE,
        "reference": "ORDER1",
        "description": "",
        "fixed_code": None,
    }
    return str(pushes.create(asked, NO_FAULT)["id"])


def a_payout() -> dict[str, Any]:
    return {
        "operation": "b2c",
        "amount": 100,
        "party_a": "600984",
        "party_b": PHONE,
        "originator": "payout-1",
        "reference": "payout-1",
        "is_own": True,
        "is_operator": True,
        "timeout_url": UNREACHABLE,
        "result_url": UNREACHABLE,
    }


def test_a_push_that_was_paid_cannot_be_cancelled_nor_expire(inside: Sandbox) -> None:
    pushes = Pushes(inside)
    id = a_push(pushes)
    assert pushes.accept(id, "1234")
    assert not pushes.reject(id) and not pushes.accept(id, "1234") and not pushes.end(id, "1037")
    push = pushes.get(id)
    assert push is not None and (push["state"], push["code"]) == ("paid", "0")
    assert len(inside.records.read("mpesa")["entries"]) == 1
    assert len(inside.callbacks.listed()) == 1


def test_concurrent_requests_end_a_push_once(inside: Sandbox) -> None:
    pushes = Pushes(inside)
    id = a_push(pushes)
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda code: pushes.end(id, code), ["0", "1032", "1037", "0"] * 4))
    assert ended.count(True) == 1 and len(inside.callbacks.listed()) == 1


def test_pushes_at_the_same_time_have_different_ids(inside: Sandbox) -> None:
    pushes = Pushes(inside)
    assert len({a_push(pushes) for _ in range(50)}) == 50


def test_a_command_is_carried_out_once(inside: Sandbox) -> None:
    commands = Simulator(inside).commands
    accepted = commands.accept(a_payout(), NO_FAULT)
    for _ in range(2):
        commands.settle(accepted["ConversationID"])
    commands.settle("AG_unknown")
    assert [entry["amount"] for entry in inside.records.read("mpesa")["entries"]] == ["100.00"]
    assert len(inside.callbacks.listed()) == 1

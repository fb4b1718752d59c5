"""The skeleton of docs/adding-a-provider.md is one that works."""

from __future__ import annotations

import re
import types
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.money import Money
from app.providers.base import Callback, ChargeReference, ChargeRequest, Customer, Kind, Provider, State
from app.providers.errors import AuthFailed, InvalidCallback, OutcomeUnknown
from tests.support.providers import Scripted, make_provider

PAGE = Path(__file__).parents[3] / "docs/adding-a-provider.md"
ORDER: dict[str, Any] = {
    "id": "7",
    "reference": "r-1",
    "amount": "12.30",
    "status": "open",
    "page": "https://acme.example/p",
}
CHARGE = ChargeRequest(
    "r-1", "R1", Money(1230, "KES"), Customer(), "http://127.0.0.1/c", "http://127.0.0.1/r"
)
CHARGE_REFERENCE = ChargeReference("r-1", "R1", CHARGE.amount, datetime(2026, 1, 1, tzinfo=UTC))


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


@pytest.fixture(scope="module")
def acme() -> type[Provider]:
    module = types.ModuleType("acme")
    exec(compile(blocks()[0], "adding-a-provider.md", "exec"), module.__dict__)
    found: type[Provider] = module.__dict__["AcmeProvider"]
    return found


def test_the_case_compiles() -> None:
    assert compile(blocks()[1], "case", "exec")


def test_the_adapter_does_what_the_page_says(acme: type[Provider]) -> None:
    with Scripted() as far_end:
        provider = make_provider(acme, far_end.url, secret_key="acme-key")
        far_end.on("/orders", (201, ORDER), (401, {"error": "who"}), (200, b"<html>"))
        opened = provider.charge(CHARGE)
        assert (opened.state, opened.payment_url, opened.amount) == (
            State.PENDING,
            ORDER["page"],
            CHARGE.amount,
        )
        assert far_end.seen[0].json["amount"] == 12.3
        for error in (AuthFailed, OutcomeUnknown):
            with pytest.raises(error):
                provider.charge(CHARGE)
        far_end.on(
            "/orders/r-1",
            (200, ORDER | {"status": "paid"}),
            (404, {"error": "no_such_order"}),
            (404, b"<html>"),
            (200, ORDER | {"status": "odd"}),
            (422, {"error": "no"}),
        )
        paid = provider.inquire(CHARGE_REFERENCE)
        assert (paid.state, paid.receipt, paid.amount) == (State.SUCCEEDED, "7", CHARGE.amount)
        assert provider.inquire(CHARGE_REFERENCE).state is State.NOT_FOUND
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                provider.inquire(CHARGE_REFERENCE)


def test_its_callbacks_are_hints(acme: type[Provider]) -> None:
    provider = make_provider(acme, secret_key="acme-key")
    hint = Callback("GET", {}, {"reference": "r-1"}, b"")
    event = provider.read_callback(hint)
    assert (event.kind, event.reference, event.claim, event.is_verified) == (Kind.PAYMENT, "r-1", None, False)
    with pytest.raises(InvalidCallback):
        provider.read_callback(replace(hint, query={}))

"""`/v1/test/reset`: what the tenant made is not shown any more; ledger and audit keep it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from app import ledger
from app.unit_of_work import reading
from tests.integration.processing.conftest import Caller, MakeKey


@pytest.fixture
def fresh(admin: Caller) -> Iterator[Caller]:
    admin.post("/test/reset")
    yield admin
    admin.post("/test/reset")


def _total(caller: Caller) -> int:
    total: int = caller.get("/payments").json["pagination"]["total"]
    return total


def test_what_was_made_is_not_shown_and_keys_begin_anew(
    fresh: Caller, standard: Caller, shop: Caller, demo: Flask
) -> None:
    first, others = standard.pay(key="again"), shop.pay(key="again")
    waiting = standard.paid(metadata={"simulate": "pending"})
    answer = fresh.post("/test/reset")
    assert answer.status_code == 200
    assert answer.json.keys() == {"message", "timestamp"}
    assert answer.json["message"] == "All test data has been reset."
    assert _total(standard) == 0 and _total(shop) == 1
    for made in (first.json, waiting):
        for path in ("", "/status"):
            assert standard.get(f"/payments/{made['id']}{path}").status_code == 404
        for path in ("/cancel", "/refund"):
            assert standard.post(f"/payments/{made['id']}{path}").status_code == 404
    second = standard.pay(key="again")
    assert second.status_code == 201 and second.json["id"] != first.json["id"]
    assert standard.pay(key="again").json == second.json and _total(standard) == 1
    assert shop.pay(key="again").json == others.json, "another tenant's keys stay"
    with demo.app_context(), reading() as session:
        assert ledger.check(session) == []


def test_a_payment_right_after_a_reset_is_a_new_one(fresh: Caller, standard: Caller) -> None:
    """What is remembered of the key is of the time before."""
    first = standard.pay(key="right after")
    fresh.post("/test/reset")
    second = standard.pay(key="right after")
    assert second.status_code == 201 and second.json["id"] != first.json["id"]


def test_only_an_admin_key_resets(standard: Caller, make_key: MakeKey) -> None:
    standard.paid()
    answer = standard.post("/test/reset")
    assert answer.status_code == 403 and "api:admin" in answer.json["error"]["message"]
    assert make_key().post("/test/reset").status_code == 200, "a key without restrictions, of its own tenant"
    assert _total(standard) > 0


def test_production_has_no_such_route(demo: Flask, shop: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.paid()
    monkeypatch.setitem(demo.config, "IS_PRODUCTION", True)
    answer = shop.post("/test/reset")
    assert (answer.status_code, answer.json["error"]["type"]) == (404, "not_found")
    monkeypatch.undo()
    assert _total(shop) == 1

"""The sandbox's own parts: storage, records, timers, customers, faults, dashboard."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app import clock
from app.sandbox.amounts import decimal_text
from app.sandbox.core import Sandbox
from app.sandbox.faults import CHARGES, MAGIC, NO_FAULT, Plan, RuleInvalid, checked_rule
from tests.support.sandbox_parts import opened
from tests.support.waiting import wait_until


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Sandbox]:
    """The parts in this process, not started."""
    sandbox = opened(tmp_path)
    yield sandbox
    sandbox.close()


# --- store and records


def test_an_id_is_used_once(inside: Sandbox) -> None:
    assert inside.store.insert("chapa", "payment", "tx-1", {"n": 1})
    assert not inside.store.insert("chapa", "payment", "tx-1", {"n": 2})
    assert inside.store.insert("paystack", "payment", "tx-1", {"n": 3})
    assert inside.store.get("chapa", "payment", "tx-1") == {"n": 1}
    assert inside.store.get("chapa", "refund", "tx-1") is None


def test_find_by_members(inside: Sandbox) -> None:
    for number, (state, is_live) in enumerate([("a", True), ("b", True), ("a", False)]):
        inside.store.insert("stripe", "x", str(number), {"n": number, "state": state, "is_live": is_live})
    assert [one["n"] for one in inside.store.find("stripe", "x", state="a")] == [0, 2]
    assert [one["n"] for one in inside.store.find("stripe", "x", state="a", is_live=True)] == [0]
    assert [one["n"] for one in inside.store.find("stripe", "x", n=1)] == [1]
    assert len(inside.store.find("stripe", "x")) == 3


def test_updates_are_made_one_at_a_time(inside: Sandbox) -> None:
    inside.store.insert("stripe", "intent", "pi", {"count": 0})

    def add(document: dict[str, int]) -> int:
        document["count"] += 1
        return document["count"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: inside.store.update("stripe", "intent", "pi", add), range(80)))
    assert sorted(answers) == list(range(1, 81))


def test_a_failed_change_leaves_no_record(inside: Sandbox) -> None:
    inside.store.insert("stripe", "intent", "pi", {"state": "open"})

    def change(document: dict[str, str]) -> None:
        document["state"] = "paid"
        inside.records.add("stripe", "charge", reference="r", id="pi", amount=Decimal(5), currency="USD")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        inside.store.update("stripe", "intent", "pi", change)
    assert inside.store.get("stripe", "intent", "pi") == {"state": "open"}
    assert inside.records.read("stripe") == {"entries": [], "totals": {}}
    with pytest.raises(KeyError):
        inside.store.update("stripe", "intent", "unknown", change)


def test_totals_are_by_currency(inside: Sandbox) -> None:
    rows = [
        ("charge", "100", "KES"),
        ("refund", "30.5", "KES"),
        ("payout", "10", "KES"),
        ("charge", "1.125", "KWD"),
    ]
    for number, (kind, amount, currency) in enumerate(rows):
        inside.records.add(
            "stripe", kind, reference=f"r{number}", id=str(number), amount=Decimal(amount), currency=currency
        )
    records = inside.records.read("stripe")
    assert records["totals"]["KES"] == {
        "charge": "100.00",
        "refund": "30.50",
        "payout": "10.00",
        "net": "59.50",
    }
    assert records["totals"]["KWD"]["net"] == "1.125"
    assert [entry["id"] for entry in inside.records.read("stripe", reference="r1")["entries"]] == ["1"]
    assert inside.records.read("chapa")["entries"] == []
    with pytest.raises(ValueError, match="more than zero"):
        inside.records.add("stripe", "charge", reference="r", id="x", amount=Decimal(0), currency="KES")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1E+3", "1000.00"), ("0", "0.00"), ("5.1", "5.10"), ("0.1250", "0.125"), ("-3", "-3.00")],
)
def test_amounts_as_text(amount: str, text: str) -> None:
    assert decimal_text(Decimal(amount)) == text


# --- timers and customers


def test_a_timer_runs_once_when_due_unless_it_was_cancelled(inside: Sandbox) -> None:
    ran: list[str] = []
    inside.timers.register("t", ran.append)
    inside.timers.set("t", "later", 50)
    inside.timers.set("t", "cancelled", 50)
    inside.timers.set("t", "now", 0)
    inside.start()
    wait_until(lambda: ran == ["now"], "the one that is due runs")
    inside.timers.cancel("t", "cancelled")
    inside.control.set("advance_s", 60.0)
    wait_until(lambda: ran == ["now", "later"], "the time is moved and the other one runs")
    assert inside.now() - clock.now() > timedelta(seconds=59)


def test_a_timer_that_fails_does_not_stop_the_others(inside: Sandbox) -> None:
    ran: list[str] = []

    def work(id: str) -> None:
        if id == "bad":
            raise RuntimeError("broken")
        ran.append(id)

    inside.timers.register("t", work)
    inside.timers.set("t", "bad", 0)
    inside.timers.set("t", "good", 0)
    inside.start()
    wait_until(lambda: ran == ["good"], "the other one runs")


def test_work_that_a_crash_interrupted_is_done_after_the_restart(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.timers.set("t", "x", 0)
    first.close()  # never started: as dead before the work was done
    second, ran = opened(tmp_path), list[str]()
    second.timers.register("t", ran.append)
    second.start()
    wait_until(lambda: ran == ["x"], "it is done after the restart")
    second.close()


def test_timers_set_in_a_transaction_do_not_deadlock(tmp_path: Path) -> None:
    """The timers' thread, threads that hold the database and threads that count rules down all want each other."""
    sandbox = opened(tmp_path)
    sandbox.timers.register("t", str)
    sandbox.store.insert("stripe", "x", "x", {})
    sandbox.control.set("rules", [{"fault": "drop", "operation": "callback", "times": 10**6}])
    sandbox.start()

    def change(document: dict[str, object]) -> None:
        sandbox.timers.set("t", str(threading.get_ident()), 0)
        sandbox.faults.plan("stripe", "callback")

    def work() -> None:
        for _ in range(15):
            sandbox.store.update("stripe", "x", "x", change)
            sandbox.faults.plan("stripe", "callback")

    # Daemons, and closed only when all is well: threads that wait for each other could not be joined.
    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in threads), "all get through", timeout_s=30)
    sandbox.close()


def test_customers_pay_unless_cancelled_or_off(inside: Sandbox) -> None:
    paid: list[str] = []
    inside.customers.register("chapa", paid.append)
    inside.customers.schedule("chapa", "scheduled")
    inside.customers.schedule("chapa", "cancelled")
    inside.customers.cancel("chapa", "cancelled")
    inside.start()
    wait_until(lambda: paid == ["scheduled"], "the scheduled customer pays")
    inside.control.set("autopay_s", None)
    inside.customers.schedule("chapa", "off")
    inside.control.set("autopay_s", 0)
    inside.customers.schedule("chapa", "second")
    wait_until(lambda: paid[1:] == ["second"], "the next customer pays, the one before does not")


# --- faults


def test_magic_amounts_are_for_charges_and_payouts(inside: Sandbox) -> None:
    assert inside.faults.plan("stripe", "payment_intent", amount=Decimal("7001.00")).drop
    assert inside.faults.plan("mpesa", "b2c", amount=Decimal(7101)).outcome == "insufficient_funds"
    for operation in ("refund", "status", "verify", "callback"):
        assert inside.faults.plan("stripe", operation, amount=Decimal(7001)) == NO_FAULT
    assert inside.faults.plan("stripe", "payment_intent", amount=Decimal(100)) == NO_FAULT
    assert inside.faults.plan("stripe", "payment_intent") == NO_FAULT


def test_a_token_expires_every_other_time(inside: Sandbox) -> None:
    answers = [
        inside.faults.plan("mpesa", "stkpush", amount=Decimal(7011), reference=reference).token_expired
        for reference in ("a", "a", "b", "a")
    ]
    assert answers == [True, False, True, True]


def test_the_first_matching_rule_applies(inside: Sandbox) -> None:
    rules = [
        {"fault": "drop", "provider": "stripe", "times": 1},
        {"fault": "after", "status": 502, "reference": "mine"},
        {"fault": "delay", "seconds": 2, "operation": "verify"},
    ]
    inside.control.set("rules", [checked_rule(rule) for rule in rules])
    plan = inside.faults.plan
    assert plan("chapa", "initialize") == NO_FAULT
    assert plan("stripe", "refund") == NO_FAULT, "without an operation a rule is for charges"
    assert plan("stripe", "session").drop
    assert plan("stripe", "session") == NO_FAULT, "its one time is over"
    assert plan("stripe", "session", reference="mine").after == 502
    assert plan("chapa", "verify").delay_s == 2


def test_probability(inside: Sandbox) -> None:
    inside.control.set("rules", [{"fault": "drop", "probability": 0}])
    assert not any(inside.faults.plan("stripe", "session").drop for _ in range(50))
    inside.control.set("rules", [{"fault": "drop", "probability": 0.5}])
    assert len({inside.faults.plan("stripe", "session").drop for _ in range(200)}) == 2


@pytest.mark.parametrize(
    "rule",
    [
        None,
        {},
        {"fault": "fire"},
        {"fault": "drop", "times": -1},
        {"fault": "drop", "times": "1"},
        {"fault": "drop", "probability": 2},
        {"fault": "after", "status": 200},
        {"fault": "drop", "provder": "stripe"},
    ],
)
def test_invalid_rules(rule: object) -> None:
    with pytest.raises(RuleInvalid):
        checked_rule(rule)


def test_a_plan_as_json() -> None:
    for plan in (*MAGIC.values(), Plan(after=502, callback_delay_s=1.5, callback_copies=0)):
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert NO_FAULT.to_json() == {} and Plan.from_json(None) == NO_FAULT


# --- dashboard


def test_the_dashboard_can_be_changed(inside: Sandbox) -> None:
    assert inside.dashboard.webhook_url("stripe") == "http://127.0.0.1:9/hooks/stripe"
    assert inside.dashboard.webhook_url("chapa-approval") is None
    assert inside.dashboard.credential("stripe", "webhook_secret") == "whsec_sandbox"
    inside.control.set("webhooks", {"stripe": None})
    inside.control.set("credentials", {"stripe": {"webhook_secret": "other"}})
    inside.control.set("options", {"chapa": {"approval_url": "http://127.0.0.1:1/"}})
    assert inside.dashboard.webhook_url("stripe") is None
    assert inside.dashboard.credential("stripe", "webhook_secret") == "other"
    assert inside.dashboard.credential("stripe", "api_key") == "sk_test_sandbox"
    assert inside.dashboard.option("chapa", "approval_url") == "http://127.0.0.1:1/"
    with pytest.raises(KeyError):
        inside.dashboard.credential("stripe", "no_such")


def test_the_operations_that_are_charges() -> None:
    assert {"stkpush", "payment_intent", "session", "initialize", "order"} == CHARGES

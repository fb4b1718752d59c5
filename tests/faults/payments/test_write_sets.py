"""What is written about a payment was decided by rows and reference data that are still true, whoever writes: the answer to a
request, a callback, an inquiry, a refund, a cancel or an operator.

Each interference happens in the last moment, between the decision and the statement that writes it. Seen failing when
write_set_apply does not compare the payment's version, the attempt's, or that of the reference data, when the unique index on
providers' ids is not understood, and when what a wallet had is not read again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from app import clock, ledger, unit_of_work
from app.ledger import chart
from app.ledger.chart import tenant_wallet
from app.money import Money
from app.providers.base import ProviderResult, State
from app.providers.cpay import CPayProvider
from app.services.operator import decisions
from app.services.tenants import api_keys, fees, key_changes, suspension, tenants
from app.services.tenants.fees import Match
from app.unit_of_work import transaction
from tests.faults.payments.facts import assert_paid_once, entries, events, operator
from tests.faults.payments.lost_commits import lose_acknowledgement
from tests.faults.payments.test_late_money import begin_late
from tests.support.concurrency import concurrently
from tests.support.gateway import OPERATOR, Gateway
from tests.support.outcomes import apply_to_attempt

LOST = {"rules": [{"fault": "callback_lost", "operation": "callback"}]}


@dataclass
class Writes:
    """The calls of write_set_apply that write an outcome: their parts."""

    seen: list[dict[str, Any]] = field(default_factory=list)


def interfere(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None], *, with_claim: bool = False
) -> Writes:
    """`meanwhile` happens just before the next outcome is written. with_claim: in the statement that claims the key."""
    writes, real = Writes(), unit_of_work._row

    def row(connection: Any, statement: str, arguments: tuple[Any, ...]) -> Any:
        parts = json.loads(arguments[2]) if "write_set_apply" in statement else None
        if parts is not None and ("claim" in parts) is with_claim:
            writes.seen.append(parts)
            if len(writes.seen) == 1:
                meanwhile()
        return real(connection, statement, arguments)

    monkeypatch.setattr(unit_of_work, "_row", row)
    return writes


def _write(gateway: Gateway, statement: str, **values: object) -> None:
    with gateway.app.app_context():
        transaction(lambda session: session.execute(text(statement), values))


# --- every way that something is written


@dataclass(frozen=True)
class Way:
    """prepare: a payment that `act` writes about. ends_as: its status then."""

    prepare: Callable[[Gateway], str]
    act: Callable[[Gateway, str], object]
    ends_as: str
    events: tuple[str, ...]


def _open_payment(gateway: Gateway) -> str:
    gateway.sandbox.control(LOST)
    payment_id = gateway.begin("paystack")
    gateway.quiet()
    return payment_id


def _reported_payment(gateway: Gateway) -> str:
    payment_id = gateway.begin("paystack")
    gateway.quiet()
    return payment_id


def _unpaid_payment(gateway: Gateway) -> str:
    gateway.sandbox.control({"autopay_s": "off"})
    return gateway.begin("stripe")


def _paid_payment(gateway: Gateway) -> str:
    payment_id = gateway.begin("stripe")
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id


WAYS = {
    "callback": Way(
        _reported_payment, lambda gateway, _: gateway.run_due(), "completed", ("payment.completed",)
    ),
    "inquiry": Way(
        _open_payment,
        lambda gateway, payment_id: gateway.post(f"/payments/{payment_id}/verify"),
        "completed",
        ("payment.completed",),
    ),
    "refund": Way(
        _paid_payment,
        lambda gateway, payment_id: gateway.refund(payment_id),
        "refunded",
        ("payment.completed", "refund.completed"),
    ),
    "cancel": Way(
        _unpaid_payment,
        lambda gateway, payment_id: gateway.post(f"/payments/{payment_id}/cancel"),
        "cancelled",
        ("payment.cancelled",),
    ),
    "decision": Way(
        lambda gateway: begin_late(gateway, "paystack"),
        lambda gateway, payment_id: operator(gateway, "payments", "accept-unmatched", payment_id),
        "completed",
        ("payment.completed",),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_row_that_changed_meanwhile_is_read_and_decided_about_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Breaks when what another process wrote is overwritten by what was known before."""
    way = WAYS[name]
    payment_id = way.prepare(gateway)
    kept = "UPDATE payments SET provider_response = coalesce(provider_response, '{}') || '{\"kept\": 1}' WHERE id = :id"
    writes = interfere(monkeypatch, lambda: _write(gateway, kept, id=payment_id))
    way.act(gateway, payment_id)
    assert len(writes.seen) >= 2
    ((status, kept_1, last_write),) = gateway.rows(
        "SELECT status, provider_response ->> 'kept', last_write FROM payments WHERE id = :id", id=payment_id
    )
    assert (status, kept_1) == (way.ends_as, "1")
    assert last_write is not None
    recorded = events(gateway, payment_id)
    assert [recorded.count(event) for event in way.events] == [1] * len(way.events), recorded
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("name", ["callback", "inquiry", "cancel"])
def test_an_attempt_that_changed_meanwhile_is_read_and_decided_about_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Breaks when only the payment's row is compared: a receipt that was written on the attempt alone would be lost."""
    way = WAYS[name]
    payment_id = way.prepare(gateway)
    receipt = f"KEPT-{uuid.uuid4()}"
    kept = "UPDATE payment_attempts SET receipt = :receipt WHERE payment_id = :id"
    interfere(monkeypatch, lambda: _write(gateway, kept, id=payment_id, receipt=receipt))
    way.act(gateway, payment_id)
    assert gateway.payment(payment_id)["status"] == way.ends_as
    assert [attempt.receipt for attempt in gateway.attempts(payment_id)] == [receipt]


@pytest.mark.parametrize("name", WAYS)
def test_a_lost_acknowledgement_is_no_failure(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Breaks when what was written is decided about again: done twice, or reported as not possible."""
    way = WAYS[name]
    payment_id = way.prepare(gateway)
    done = "EXISTS (SELECT FROM payments WHERE id = :id AND status = :status)"
    lost = lose_acknowledgement(monkeypatch, done, id=payment_id, status=way.ends_as)
    answer = way.act(gateway, payment_id)
    assert lost.count == 1
    assert getattr(answer, "status_code", 200) == 200
    assert gateway.payment(payment_id)["status"] == way.ends_as
    recorded = events(gateway, payment_id)
    assert [recorded.count(event) for event in way.events] == [1] * len(way.events), recorded
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("is_reported_as", [State.SUCCEEDED, State.FAILED])
def test_a_callback_that_is_faster_than_the_answer(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, is_reported_as: State
) -> None:
    """Breaks when the answer that comes second is applied as if nothing had happened. CPay stands for a provider elsewhere that
    answers at once."""
    monkeypatch.setattr(CPayProvider, "is_in_process", False)
    key = str(uuid.uuid4())

    def the_callback_is_processed() -> None:
        ((attempt_id,),) = gateway.rows(
            "SELECT a.id FROM payment_attempts a JOIN payments p ON p.id = a.payment_id "
            "WHERE p.idempotency_key = :key",
            key=key,
        )
        with gateway.app.app_context():
            apply_to_attempt(attempt_id, ProviderResult(is_reported_as, code="reported"), source="callback")

    interfere(monkeypatch, the_callback_is_processed)
    answer = gateway.initialize("cpay", key=key)
    payment_id = answer.json()["data"]["id"]
    found = gateway.payment(payment_id)
    recorded = events(gateway, payment_id)
    if is_reported_as is State.SUCCEEDED:
        assert_paid_once(gateway, payment_id)
    else:
        # CPay collected it after all: late money, for an operator.
        assert (found["status"], found["review"]) == ("failed", "late_success")
        assert entries(gateway, payment_id) == ["suspense"]
        assert recorded.count("payment.completed") == 0
        with gateway.app.app_context():
            decisions.accept_unmatched(uuid.UUID(payment_id), operator=OPERATOR)
    assert answer.json()["data"]["status"] == found["status"]
    gateway.assert_ledger_matches_providers()


def test_a_reference_that_another_attempt_takes_meanwhile(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would pay with one charge, and neither had it when they were decided about. Breaks as a 500, or pays twice."""
    theirs = _paid_payment(gateway)
    ours = _unpaid_payment(gateway)
    (attempt,), (other,) = gateway.attempts(ours), gateway.attempts(theirs)
    taking = "UPDATE payment_attempts SET provider_reference = :reference WHERE id = :id"
    _write(gateway, taking, reference=None, id=attempt.id)
    interfere(monkeypatch, lambda: _write(gateway, taking, reference=attempt.provider_reference, id=other.id))
    result = ProviderResult(
        State.SUCCEEDED, provider_reference=attempt.provider_reference, amount=Money(100_00, "USD")
    )
    with gateway.app.app_context():
        apply_to_attempt(attempt.id, result, source="callback")
    assert gateway.payment(ours)["review"] == "reference_in_use"
    assert entries(gateway, ours) == []
    _write(gateway, taking, reference=other.provider_reference, id=other.id)
    _write(gateway, taking, reference=attempt.provider_reference, id=attempt.id)
    assert gateway.post(f"/payments/{ours}/cancel").status_code == 200
    gateway.assert_ledger_matches_providers()


# --- reference data


@contextmanager
def _another_process(gateway: Gateway) -> Iterator[None]:
    """What is done inside is done as another process does it: this one goes on remembering what it knew."""
    remembered = gateway.app.extensions["reference_data"]
    with gateway.app.app_context():
        yield
    assert gateway.app.extensions["reference_data"] is remembered


def _warm(gateway: Gateway) -> None:
    """The process remembers the tenant's key and providers."""
    assert gateway.initialize("cpay").status_code == 201
    remembered = gateway.app.extensions["reference_data"]
    assert gateway.tenant_id in {tenant for tenant, _ in remembered.good_credentials}


def _stored(gateway: Gateway) -> int:
    ((count,),) = gateway.rows("SELECT count(*) FROM payments WHERE tenant_id = :t", t=gateway.tenant_id)
    return int(count)


def test_a_key_that_was_revoked_stores_nothing(gateway: Gateway) -> None:
    """The process remembers the key as good. Breaks when it is believed."""
    with gateway.app.app_context():
        key = key_changes.add_api_key(gateway.tenant_id, "to be revoked", operator=OPERATOR)[1]
    headers, own = {"X-TENANT-API-KEY": key}, gateway.headers
    gateway.headers = headers
    try:
        _warm(gateway)
        before = _stored(gateway)
        with _another_process(gateway):
            key_changes.revoke_api_key(key[: api_keys.PREFIX_LENGTH], operator=OPERATOR)
        refused = gateway.initialize("cpay")
        assert (refused.status_code, _stored(gateway)) == (401, before), refused.text
    finally:
        gateway.headers = own


def test_a_suspended_tenant_stores_nothing(gateway: Gateway) -> None:
    _warm(gateway)
    before = _stored(gateway)
    with _another_process(gateway):
        suspension.suspend_tenant(gateway.tenant_id, reason="a test", operator=OPERATOR)
    try:
        refused = gateway.initialize("cpay")
        assert (refused.status_code, _stored(gateway)) == (401, before), refused.text
    finally:
        with gateway.app.app_context():
            suspension.reactivate_tenant(gateway.tenant_id, reason="a test", operator=OPERATOR)
    assert gateway.initialize("cpay").status_code == 201


def test_a_crowd_on_old_reference_data_is_served(gateway: Gateway) -> None:
    """All of them find out at once. Breaks when they refuse each other's newer data for ever."""
    _warm(gateway)
    with _another_process(gateway):
        tenants.create_tenant("Another", "growth")
    answers = concurrently(8, lambda _: gateway.initialize("cpay").status_code)
    assert answers == [201] * 8


@pytest.mark.parametrize("is_in_process", [True, False])
def test_a_fee_that_changed_before_the_money_came_is_charged(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, is_in_process: bool
) -> None:
    """Breaks when the fee that was remembered is posted."""
    monkeypatch.setattr(CPayProvider, "is_in_process", is_in_process)
    _warm(gateway)
    match = Match(tenant_id=gateway.tenant_id, provider="cpay", currency="USD")
    made: list[uuid.UUID] = []

    def a_rule_is_set() -> None:
        with _another_process(gateway):
            made.append(fees.set_rule(match, fixed_minor=77, rate_ppm=0, operator=OPERATOR))

    writes = interfere(monkeypatch, a_rule_is_set, with_claim=is_in_process)
    payment_id = gateway.begin("cpay")
    assert len(writes.seen) == 2
    assert gateway.rows("SELECT fee FROM payments WHERE id = :id", id=payment_id)[0].fee == 77
    with gateway.app.app_context():
        fees.remove_rule(made[0], operator=OPERATOR)
    gateway.assert_ledger_matches_providers()


# --- the ledger


def test_a_reversal_takes_what_the_wallet_has_when_it_is_posted(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wallet is emptied between the decision and the posting. Breaks when the reversal is refused, or the wallet falls
    below zero; what it does not have is owed."""
    payment_id = gateway.begin("cpay")
    (attempt,) = gateway.attempts(payment_id)
    wallet = tenant_wallet(gateway.tenant_id, "USD")
    held = uuid.uuid4()

    def the_money_is_set_aside() -> None:
        with gateway.app.app_context():

            def hold_all(session: Any) -> None:
                account_id = chart.account_id(session, wallet)
                there = ledger.spendable(session, account_id)
                ledger.hold(session, held, account_id=account_id, amount=there, now=clock.now())

            transaction(hold_all)

    writes = interfere(monkeypatch, the_money_is_set_aside)
    with gateway.app.app_context():
        apply_to_attempt(attempt.id, ProviderResult(State.REVERSED), source="callback")
        transaction(lambda session: ledger.release(session, held, now=clock.now()))
    assert len(writes.seen) == 2
    assert gateway.payment(payment_id)["status"] == "reversed"
    (posted,) = [one for one in writes.seen[-1]["entries"] if one["kind"] == "reversal"]
    owed = gateway.rows(
        "SELECT id FROM accounts WHERE public_id = :id", id=f"receivable:{gateway.tenant_id}:USD"
    )
    assert owed[0].id in posted["accounts"]


def test_a_refund_that_the_wallet_cannot_bear_leaves_nothing_but_its_refusal(gateway: Gateway) -> None:
    """Breaks when the refund's row, its event or its job is stored though its amount could not be held."""
    payment_id, key, held = _paid_payment(gateway), str(uuid.uuid4()), uuid.uuid4()
    wallet = tenant_wallet(gateway.tenant_id, "USD")

    def hold_all(session: Any) -> None:
        account_id = chart.account_id(session, wallet)
        there = ledger.spendable(session, account_id)
        ledger.hold(session, held, account_id=account_id, amount=there, now=clock.now())

    with gateway.app.app_context():
        transaction(hold_all)
    refused = gateway.refund(payment_id, key=key)
    with gateway.app.app_context():
        transaction(lambda session: ledger.release(session, held, now=clock.now()))
    assert refused.status_code == 400, refused.text
    assert gateway.refund(payment_id, key=key).json() == refused.json()
    assert gateway.rows("SELECT FROM refunds WHERE payment_id = :id", id=payment_id) == []
    assert "refund.initiated" not in events(gateway, payment_id)
    gateway.assert_ledger_matches_providers()

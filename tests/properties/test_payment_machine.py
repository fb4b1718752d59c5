"""Whatever providers say, in whatever order, from whatever source and however often: a payment's money stays right.

Each machine is one payment of one tenant. Outcomes of every kind are applied to it and to its refunds by the
functions that callbacks, inquiries, answers and operators use. After each step: statuses went only where the tables
lead, an attempt was posted at most once, the clearing account is minus what was collected plus what was refunded,
refunds are within the amount, and the events are exactly the changes.

Seen failing when a success is applied twice or a late one dropped, when another amount counts as the payment, when
the attempts' table is not asked, when not-found or the second sending's no fails an attempt, when a failed refund
keeps its reservation, and when an event is left out.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from flask import Flask
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from app import create_app, ledger
from app.api.gateway.views import initialized, refunded
from app.errors import GatewayError
from app.models.payment import AttemptState, RefundState
from app.money import Money
from app.principal import Principal
from app.providers.base import FailureCode, ProviderResult, State
from app.providers.errors import Declined, NotSent, OutcomeUnknown, ProviderError
from app.services import payment_service
from app.services.idempotency_service import Claim
from app.services.operator import decisions
from app.services.payment_service import CustomerDetails, PaymentRequest
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import read
from app.services.payments import rows as payment_rows
from app.services.payments.states import ATTEMPT, PAYMENT, REFUND
from app.services.provider_access import bulkhead
from app.services.refunds.create import create_refund
from app.services.tenants import tenants
from app.services.tenants.fees import Match, set_rule
from app.services.write_sets import store
from app.unit_of_work import reading
from tests.support import servers
from tests.support.gateway import OPERATOR
from tests.support.outcomes import apply_to_attempt, apply_to_refund
from tests.support.payment_snapshot import SNAPSHOT_SQL, PaymentSnapshot
from tests.support.tenants import MerchantClient, fund_merchant

ASKED = {"USD": "100.00", "JPY": "100", "KWD": "100.000"}

sources = st.sampled_from(["answer", "inquiry", "callback", "statement", "operator"])
answers = st.sampled_from([OutcomeUnknown, OutcomeUnknown, Declined, NotSent])
states = st.sampled_from([*State, State.SUCCEEDED, State.PENDING])
times = st.integers(1, 3)
amounts = st.sampled_from(["asked", "asked", "asked", "untold", "more", "less", "foreign"])


MUST_MEET = {
    *State,
    "OutcomeUnknown",
    *("refund", "refund is completed", "refund is failed", "NotRefundable"),
    *("accepted", "returned", "its amount, succeeded", "another amount, succeeded"),
}
"""What the known steps come across."""


class PaymentMachine(RuleBasedStateMachine):
    app: ClassVar[Flask]
    met: ClassVar[Counter[str]] = Counter()

    @initialize(
        currency=st.sampled_from(sorted(ASKED)),
        is_funded=st.booleans(),
        how_far=st.sampled_from(["created", "sent", "paid", "in suspense", "refunding", "refunding"]),
        amount=amounts,
        other=st.sampled_from(["more", "less", "foreign"]),
    )
    def ask_for_money(self, currency: str, is_funded: bool, how_far: str, amount: str, other: str) -> None:
        tenant, key = tenants.create_tenant(f"Machine {uuid.uuid4().hex[:8]}", "growth")
        if is_funded:
            fund_merchant(self.app, MerchantClient(tenant.id, key), 1_000_000, currency=currency)
        self.merchant = Principal.of_demo_tenant(tenant.id, None)
        self.asked = Money.parse(ASKED[currency], currency)
        order = PaymentRequest("cpay", ASKED[currency], currency, CustomerDetails("+254700000000"))
        claim = Claim(uuid.uuid4(), b"f" * 32, "machine", initialized)
        # CPay's only slot is occupied: requests are stored, and sent when a rule runs.
        answer = payment_service.initialize(self.merchant, order, claim)
        self.payment_id = uuid.UUID(answer.body["data"]["id"])
        with reading() as session:
            attempt = read.latest_attempt(session, self.payment_id)
        assert attempt is not None
        self.attempt_id = attempt.id
        self.path = ["pending", "processing"]
        self.collected: Money | None = None
        self.too_early = 0
        if how_far != "created":
            self.send()
        self.before = self._see()
        if how_far in ("paid", "in suspense"):
            self.callback(State.SUCCEEDED, "answer", amount if how_far == "paid" else other, 1)
        if how_far == "refunding":
            self.callback(State.SUCCEEDED, "answer", "asked", 1)
            self.all_is_in_order()
            self.ask_for_a_refund(70)
            self.all_is_in_order()
            self.send_the_refunds()

    # --- outcomes of the payment

    @rule(state=states, source=sources, amount=amounts, repeats=times)
    def callback(self, state: State, source: str, amount: str, repeats: int) -> None:
        result = ProviderResult(
            state,
            provider_reference=f"there-{self.attempt_id}",
            receipt=f"R-{self.attempt_id}",
            amount=self._amount(amount),
            code="word",
        )
        seen = self._apply(result, source, repeats)
        if state is State.SUCCEEDED and self.before.attempt != "created":
            assert seen.collected is not None, "what came was dropped"
        if state is State.REVERSED and self.before.collected is not None and not self.before.refunds:
            assert seen.attempt == "reversed", "reversed at the provider, but not in the ledger"
        if state in (State.PENDING, State.NOT_FOUND, State.REFUNDED) and self.before.status not in (
            "failed",
            "cancelled",
        ):
            assert seen.status not in ("failed", "cancelled"), "failed on a guess"
        self.met[state] += 1

    @precondition(lambda self: self.before.attempt in ("sending", "unknown", "pending"))
    @rule(error=answers, repeats=times)
    def an_answer_that_is_an_error(self, error: type[ProviderError], repeats: int) -> None:
        seen = self._apply(error(), "answer", repeats)
        if error is OutcomeUnknown or self.before.sendings > 1:
            assert seen.status not in ("failed", "cancelled"), "failed on a lost answer"
        self.met[error.__name__] += 1

    @precondition(lambda self: self.before.attempt in ("created", "unknown"))
    @rule()
    def send(self) -> None:
        def decide(writes: payment_rows.PaymentWrites) -> None:
            attempt = writes.rows.attempt(self.attempt_id)
            attempt.state, attempt.sendings = AttemptState.SENDING, attempt.sendings + 1

        self._change(decide)

    @precondition(lambda self: self.before.attempt in ("pending", "unknown"))
    @rule()
    def time_is_over(self) -> None:
        self._change(
            lambda writes: payment_outcomes.expire_attempt(
                writes, writes.rows.attempt(self.attempt_id), FailureCode.TIMEOUT, reason="It is too late."
            )
        )
        self.met["expired"] += 1

    # --- refunds

    @precondition(
        lambda self: self.before.status in ("completed", "partially_refunded") or not self.too_early
    )
    @rule(part=st.sampled_from([None, 1, 30, 70, 100, 101]))
    def ask_for_a_refund(self, part: int | None) -> None:
        share = None if part is None else max(1, self.asked.amount_minor * part // 100)
        amount = None if share is None else str(Money(share, self.asked.currency))
        claim = Claim(uuid.uuid4(), b"f" * 32, "machine", refunded)
        try:
            create_refund(self.merchant, self.payment_id, amount=amount, reason=None, claim=claim)
        except GatewayError as error:
            self.too_early += 1
            self.met[type(error).__name__] += 1
        else:
            assert self.before.status in ("completed", "partially_refunded")
            self.met["refund"] += 1

    @precondition(lambda self: any(refund[1] == "created" for refund in self.before.refunds))
    @rule()
    def send_the_refunds(self) -> None:
        def decide(writes: payment_rows.PaymentWrites) -> None:
            for refund in writes.rows.refunds:
                if refund.state == RefundState.CREATED:
                    refund.state = RefundState.SENDING

        self._change(decide)

    @precondition(lambda self: self.before.refunds)
    @rule(pick=st.integers(0, 99), state=states, source=sources, repeats=times)
    def refund_outcome(self, pick: int, state: State, source: str, repeats: int) -> None:
        self._apply_refund(pick, ProviderResult(state, code="word"), source, repeats)
        self.met[f"refund {state}"] += 1

    @precondition(lambda self: any(refund[1] == "sending" for refund in self.before.refunds))
    @rule(pick=st.integers(0, 99), error=answers, repeats=times)
    def a_refunds_answer_is_an_error(self, pick: int, error: type[ProviderError], repeats: int) -> None:
        self._apply_refund(pick, error(), "answer", repeats)
        self.met[f"refund {error.__name__}"] += 1

    @precondition(lambda self: self.before.posting_count("suspense"))
    @rule()
    def accept(self) -> None:
        self._decide(is_accepted=True)

    @precondition(lambda self: self.before.posting_count("suspense"))
    @rule()
    def return_it(self) -> None:
        self._decide(is_accepted=False)

    def _decide(self, *, is_accepted: bool) -> None:
        act = decisions.accept_unmatched if is_accepted else decisions.refund_unmatched
        try:
            act(self.payment_id, operator=OPERATOR)
        except GatewayError as error:
            self.met[type(error).__name__] += 1
        else:
            self.met["accepted" if is_accepted else "returned"] += 1
            if is_accepted:
                assert self.collected is not None
                self.asked = self.collected

    @invariant()
    def all_is_in_order(self) -> None:
        before, self.before = self.before, self._see()
        if self.before.status != self.path[-1]:
            self.path.append(self.before.status)
        self._statuses_went_where_the_tables_lead(before, self.before)
        self._attempt_is_posted_once(self.before)
        self._clearing_is_what_the_provider_owes(self.before)
        self._refunds_do_not_exceed_the_payment(self.before)
        self._events_tell_the_changes(self.before)
        self.met["step"] += 1

    def _statuses_went_where_the_tables_lead(self, before: PaymentSnapshot, seen: PaymentSnapshot) -> None:
        for table, old, new in (
            (PAYMENT, before.status, seen.status),
            (ATTEMPT, before.attempt, seen.attempt),
        ):
            assert old == new or new in _reachable(table, old), (old, new)
        known = {refund[0]: refund[1] for refund in before.refunds}
        for refund_id, state, *_ in seen.refunds:
            old = known.get(refund_id, "created")
            assert state == old or state in _reachable(REFUND, old), (old, state)

    def _attempt_is_posted_once(self, seen: PaymentSnapshot) -> None:
        assert seen.posting_count("payment") + seen.posting_count("suspense") == (seen.collected is not None)
        assert seen.posting_count("suspense_release") <= seen.posting_count("suspense")
        assert seen.posting_count("reversal") == (seen.attempt == "reversed")
        assert seen.posting_count("refund") == sum(refund[1] == "completed" for refund in seen.refunds)
        sums: Counter[tuple[str, str]] = Counter()
        for entry, _, currency, amount in seen.postings:
            sums[entry, currency] += amount
        assert set(sums.values()) <= {0}

    def _clearing_is_what_the_provider_owes(self, seen: PaymentSnapshot) -> None:
        collected = self.collected
        for currency in {self.asked.currency, *([collected.currency] if collected else [])}:
            came = collected.amount_minor if collected and collected.currency == currency else 0
            back = sum(r[2] for r in seen.refunds if r[1] == "completed") if self._pays_in(currency) else 0
            kept = 0 if seen.attempt == "reversed" else came
            assert seen.clearing(currency) == back - kept, (currency, seen)

    def _refunds_do_not_exceed_the_payment(self, seen: PaymentSnapshot) -> None:
        own = [refund for refund in seen.refunds if not refund[3]]
        assert seen.reserved == sum(refund[2] for refund in own if refund[1] != "failed") <= seen.amount
        assert seen.refunded == sum(refund[2] for refund in own if refund[1] == "completed")
        if seen.status in ("refunded", "partially_refunded"):
            assert (seen.status == "refunded") == (seen.refunded == seen.amount)
            assert seen.refunded

    def _events_tell_the_changes(self, seen: PaymentSnapshot) -> None:
        statuses = [status for _, status in seen.events]
        path = [
            status for number, status in enumerate(statuses) if number == 0 or status != statuses[number - 1]
        ]
        assert path == self.path
        types = Counter(event for event, _ in seen.events)
        # Money in suspense was refunded at the provider: this is the callback about it, and the payment's end.
        types["payment.failed"] += any(
            event == "payment.reversed" and status == "failed" != seen.events[number - 1][1]
            for number, (event, status) in enumerate(seen.events)
        )
        for status in ("completed", "failed", "cancelled"):
            assert types[f"payment.{status}"] == self.path.count(status), (status, self.path)
        # Also where the money only waited, and the payment stays what it was.
        assert types["payment.reversed"] == (seen.attempt == "reversed")
        for state in ("completed", "failed"):
            assert types[f"refund.{state}"] == sum(refund[1] == state for refund in seen.refunds)

    def _change(self, decide: Callable[[payment_rows.PaymentWrites], None]) -> None:
        store.change(payment_rows.read(self.payment_id), decide, actor="inquiry")

    def _apply(self, outcome: payment_outcomes.Outcome, source: str, repeats: int) -> PaymentSnapshot:
        """What is seen afterwards."""
        first: PaymentSnapshot | None = None
        for _ in range(repeats):
            apply_to_attempt(self.attempt_id, outcome, source=source)
            seen = self._see()
            assert first in (None, seen), "a repeated outcome changed something"
            first = seen
        if seen.collected != self.before.collected:
            assert isinstance(outcome, ProviderResult)
            self.collected = outcome.amount or self.asked
            is_other = self.collected != self.asked
            self.met[f"{'another' if is_other else 'its'} amount, {seen.attempt}"] += 1
        return seen

    def _apply_refund(self, pick: int, outcome: payment_outcomes.Outcome, source: str, repeats: int) -> None:
        refund_id = uuid.UUID(self.before.refunds[pick % len(self.before.refunds)][0])
        first: PaymentSnapshot | None = None
        for _ in range(repeats):
            apply_to_refund(refund_id, outcome, source=source)
            seen = self._see()
            assert first in (None, seen), "a repeated outcome changed something"
            first = seen
        self.met[f"refund is {next(r[1] for r in seen.refunds if r[0] == str(refund_id))}"] += 1

    def _amount(self, word: str) -> Money | None:
        minor, currency = self.asked.amount_minor, self.asked.currency
        return {
            "asked": self.asked,
            "untold": None,
            "more": Money(minor + 1, currency),
            "less": Money(minor - 1, currency),
            "foreign": Money(minor, "EUR"),
        }[word]

    def _pays_in(self, currency: str) -> bool:
        """Whether refunds of the payment are in this currency: suspense is returned in the received currency."""
        if any(refund[3] for refund in self.before.refunds):
            return bool(self.collected and self.collected.currency == currency)
        return currency == self.asked.currency

    def _see(self) -> PaymentSnapshot:
        with reading() as session:
            return PaymentSnapshot(*session.execute(text(SNAPSHOT_SQL), {"id": self.payment_id}).one())


def _reachable(table: Any, start: str) -> set[str]:
    """The states a step may lead to: one rule applies an outcome once or several times, always the same outcome."""
    first = set(table[start])
    return first | {further for state in first for further in table[state]}


@pytest.fixture(scope="module")
def machine_app(settings: dict[str, str]) -> Iterator[Flask]:
    """The application on a database of its own, with fees that make the tenant's share smaller than the payment."""
    app = create_app(settings | servers.urls_of_new_database() | {"PROVIDER_CALLS_AT_ONCE": "1"})
    with app.app_context(), bulkhead.slot("cpay"):
        set_rule(Match("payment"), fixed_minor=0, rate_ppm=29_000)
        yield app


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_known", [True, False])
def test_callbacks_in_any_order(machine_app: Flask, is_known: bool) -> None:
    """The same nine hundred steps in every run of the same sources, which meet everything; and a hundred that no run had before.

    Only the known ones must meet everything: what one run at random comes across is luck.
    """
    PaymentMachine.app, PaymentMachine.met = machine_app, Counter()
    run_state_machine_as_test(
        PaymentMachine,
        settings=hypothesis_settings(
            max_examples=44 if is_known else 8,
            stateful_step_count=20,
            deadline=None,
            derandomize=is_known,
            database=None,
            phases=(Phase.generate,),
        ),
    )
    with reading() as session:
        assert [str(finding) for finding in ledger.check(session)] == []
    assert PaymentMachine.met["step"] >= (350 if is_known else 40), PaymentMachine.met
    missed = MUST_MEET - set(PaymentMachine.met)
    assert not is_known or not missed, PaymentMachine.met

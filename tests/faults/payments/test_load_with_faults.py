"""A hundred payments through six providers, and withdrawals, while a third of the callbacks is lost and a third comes three times.

Real processes and real time: nothing here moves a clock. What a lost callback would have reported is found by inquiries,
so the test waits as long as they take; the worker is killed while it runs jobs, and only their leases are shortened.
M-Pesa's refunds and payouts are left out: it reports their results by callback alone, and a callback may be lost for minutes.

Seen failing when pending payments are not asked about, when a job that a dead worker had is never claimed again, when
every copy of a callback is stored as a provider event of its own, when a success may be applied twice, and when
refunds are not
asked about.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import text

from app import ledger
from app.models.member import Role
from app.unit_of_work import reading, transaction
from launcher.embedded import EmbeddedRedis
from tests.support.full_stack import MINOR_DIGITS, FullStack, TimedAnswer, running_full_stack
from tests.support.gateway import HTTP_PROVIDERS
from tests.support.invariants import verify, wait_published
from tests.support.tenants import MemberClient, fund_merchant, make_member
from tests.support.waiting import wait_until
from tests.support.withdrawals import DETAILS

PAYMENTS = 108
REFUNDS = 15
WITHDRAWALS = 8
APPROVERS = 3
"""Each withdrawal is approved by so many people at once."""
CLIENTS = 6
KILLED_AFTER = 40
"""Payments before the worker is killed."""

ALL_FINAL_S = 200

LOST, REPEATED = 0.3, 0.3
RULES = [
    {"fault": "callback_lost", "operation": "callback", "probability": LOST},
    # Asked of those that are not lost.
    {"fault": "callback_copies", "operation": "callback", "probability": REPEATED / (1 - LOST), "copies": 3},
]

AUTO = {"KES": "mpesa", "ETB": "chapa", "NGN": "paystack", "USD": "stripe"}
DECLINED = 7101
DECLINES = ("mpesa", "chapa", "cpay")
"""Providers at which the customer's empty account ends the payment; at the others another card may follow."""

REFUNDING = ("stripe", "chapa", "paystack", "pesapal", "cpay")

_WAITING = "SELECT FROM jobs WHERE state = 'due' AND ref <> 'recurring' LIMIT 1"
"""All but those that run once a day."""

_END_LEASES = "UPDATE jobs SET leased_until = clock_timestamp() WHERE leased_until > clock_timestamp()"

_UNFINISHED = """
SELECT p.id FROM payments p WHERE p.status IN ('pending', 'processing')
UNION ALL SELECT r.payment_id FROM refunds r WHERE r.state NOT IN ('completed', 'failed')
UNION ALL SELECT w.id FROM withdrawals w WHERE w.status NOT IN ('completed', 'failed')
"""

_COMPLETED = """
SELECT id::text, provider FROM (
  SELECT id, provider, row_number() OVER (PARTITION BY provider ORDER BY id) AS number FROM payments
  WHERE status = 'completed' AND provider = ANY (:names)) p WHERE number <= :each ORDER BY number, provider
"""


@pytest.fixture
def full_stack(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[FullStack]:
    # Long enough for a busy machine: a lost answer is another test's matter.
    with running_full_stack(redis_server, tmp_path, WEB_THREADS="32", PROVIDER_TIMEOUT_S="8") as running:
        yield running


def _random_request(number: int, dice: random.Random) -> tuple[str, int, str | None]:
    """Provider, amount in major units, and the currency where it is not the provider's usual one."""
    amount = dice.randrange(100, 900, 10)  # CPay declines what ends in 13.00
    if number % 5 == 0:
        return "auto", amount, dice.choice(sorted(AUTO))
    provider = (*HTTP_PROVIDERS, "cpay")[number % 6]
    if number % 20 == 7 and provider in DECLINES:
        amount = DECLINED
    return provider, amount, None


def _kill_the_worker(full_stack: FullStack) -> None:
    """Kill the worker while it runs jobs, and start it again."""

    def is_held_at_work() -> bool:
        """Whether it has one; if so, it stands still with it."""
        os.killpg(full_stack.processes.pid("worker"), signal.SIGSTOP)
        if full_stack.query("SELECT FROM jobs WHERE state = 'due' AND leased_until > now() LIMIT 1"):
            return True
        os.killpg(full_stack.processes.pid("worker"), signal.SIGCONT)
        return False

    wait_until(is_held_at_work, "the worker to be at work", every_s=0.02)
    full_stack.processes.kill("worker")
    with full_stack.app.app_context():
        transaction(lambda session: session.execute(text(_END_LEASES)))
    full_stack.processes.start("worker")


def _ask_for_everything(full_stack: FullStack) -> list[TimedAnswer]:
    dice = random.Random(5)
    requests_to_send = [_random_request(number, dice) for number in range(PAYMENTS)]
    answer: list[TimedAnswer] = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        for start, end in ((0, KILLED_AFTER), (KILLED_AFTER, PAYMENTS)):
            sent = [
                pool.submit(full_stack.initialize, provider, amount, currency=currency)
                for provider, amount, currency in requests_to_send[start:end]
            ]
            if start:
                _kill_the_worker(full_stack)
            answer += [request.result(timeout=60) for request in sent]
    return answer


def _withdraw(full_stack: FullStack) -> list[int]:
    """Request withdrawals, and have each approved by several people at once; the statuses of all answers."""
    fund_merchant(full_stack.app, full_stack.merchant, 20_000_00)
    finance = make_member(full_stack.app, full_stack.merchant, Role.FINANCE)
    managers = [
        make_member(full_stack.app, full_stack.merchant, Role.FINANCE_ADMIN) for _ in range(APPROVERS)
    ]

    def post(member: MemberClient, path: str, body: dict[str, Any]) -> requests.Response:
        url = f"{full_stack.processes.url}/v1/wallet/withdrawals{path}"
        return requests.post(url, json=body, headers=member.headers, timeout=60)

    body = {"amount": 500, "method_type": "bank_transfer", "method_details": DETAILS["bank_transfer"]}
    found = []
    with ThreadPoolExecutor(APPROVERS) as pool:
        for _ in range(WITHDRAWALS):
            initiated = post(finance, "", body)
            path = f"/{initiated.json()['transaction_id']}/approve"
            answers = list(pool.map(lambda manager, path=path: post(manager, path, {}), managers))
            found += [initiated.status_code, *(answer.status_code for answer in answers)]
    return found


def _refund_some(full_stack: FullStack) -> list[TimedAnswer]:
    """Refunds of completed payments, every other one in part; Pesapal's whole, it takes one only."""

    def completed() -> list[tuple[str, str]]:
        rows = full_stack.query(_COMPLETED, names=list(REFUNDING), each=REFUNDS // len(REFUNDING))
        return [(row[0], row[1]) for row in rows] if len(rows) == REFUNDS else []

    found = wait_until(completed, "enough completed payments of each provider", timeout_s=120, every_s=0.2)
    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = [
            pool.submit(full_stack.refund, payment_id, 40 if number % 2 and provider != "pesapal" else None)
            for number, (payment_id, provider) in enumerate(found)
        ]
        return [request.result(timeout=60) for request in sent]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_payments_end_and_the_ledger_matches_every_provider(full_stack: FullStack) -> None:
    full_stack.control({"rules": RULES})
    # So that the merchant's balance covers every refund, the fees included.
    for currency in ("USD", "ETB", "NGN", "KES"):
        assert full_stack.initialize("cpay", 5000, currency=currency).http == 201

    with ThreadPoolExecutor(1) as pool:
        withdrawn = pool.submit(_withdraw, full_stack)
        asked = _ask_for_everything(full_stack)
    statuses = Counter(withdrawn.result(timeout=120))
    assert (statuses[201], statuses[200]) == (WITHDRAWALS, WITHDRAWALS) and not statuses[500], statuses
    assert set(Counter(answer.http for answer in asked)) <= {201, 402}
    refunded_total = _refund_some(full_stack)
    assert {answer.http for answer in refunded_total} == {200}
    wait_until(
        lambda: not full_stack.query(f"{_UNFINISHED} LIMIT 1"),
        "every payment and refund to be final",
        timeout_s=ALL_FINAL_S,
        every_s=0.5,
    )
    # Jobs of the killed worker run again when their leases have ended, and find their work done.
    wait_until(
        lambda: not full_stack.query(_WAITING),
        "no job to be left",
        timeout_s=ALL_FINAL_S,
        every_s=0.5,
    )
    wait_published(full_stack.app)
    _assert_the_faults_were_real(full_stack)
    _assert_statuses(full_stack, len(refunded_total))
    _assert_each_payment_is_in_its_providers_book(full_stack)
    _assert_totals_agree(full_stack)
    _assert_events(full_stack)
    _assert_withdrawals_are_paid_once(full_stack)
    with full_stack.app.app_context(), reading() as session:
        assert [str(finding) for finding in ledger.check(session)] == []
    assert verify(full_stack.app) is None


def _assert_the_faults_were_real(full_stack: FullStack) -> None:
    ((repeats,),) = full_stack.query("SELECT sum(repeats) FROM provider_events")
    assert repeats > PAYMENTS * REPEATED / 2
    ((by_inquiry,),) = full_stack.query(
        "SELECT count(*) FROM events WHERE type = 'payment.completed' AND actor = 'inquiry'"
    )
    assert by_inquiry > PAYMENTS * LOST / 3, "too few callbacks were lost to matter"


def _assert_statuses(full_stack: FullStack, refunds: int) -> None:
    statuses = Counter(
        dict(map(tuple, full_stack.query("SELECT status, count(*) FROM payments GROUP BY status")))
    )
    assert sum(statuses.values()) == PAYMENTS + 4
    assert set(statuses) == {"completed", "failed", "refunded", "partially_refunded"}, statuses
    is_declined = "amount = :declined"
    assert (
        full_stack.query(
            f"SELECT provider, amount, status, failure_reason FROM payments WHERE ({is_declined}) <> (status = 'failed')",
            declined=DECLINED * 100,
        )
        == []
    )
    assert statuses["failed"] >= PAYMENTS // 100
    assert full_stack.query("SELECT payment_id, reason FROM payment_reviews WHERE closed_at IS NULL") == []
    assert full_stack.query("SELECT state, count(*) FROM refunds GROUP BY state") == [("completed", refunds)]
    assert full_stack.query("SELECT kind, last_error FROM jobs WHERE state = 'dead'") == []


def _assert_each_payment_is_in_its_providers_book(full_stack: FullStack) -> None:
    """One charge for each collected payment, under our reference, of its amount; and none else."""
    rows = full_stack.query(
        "SELECT a.provider, a.reference, a.short_reference, p.amount, p.currency, a.state FROM payment_attempts a "
        "JOIN payments p ON p.id = a.payment_id"
    )
    ours = {(row.provider, name): row for row in rows for name in (row.reference, row.short_reference)}
    charged: Counter[str] = Counter()
    for provider in HTTP_PROVIDERS:
        for entry in full_stack.book(provider)["entries"]:
            if entry["kind"] == "charge":
                row = ours[provider, entry["reference"]]
                charged[row.reference] += 1
                assert (_minor(entry["amount"], entry["currency"]), entry["currency"]) == (
                    row.amount,
                    row.currency,
                )
    collected = {row.reference for row in rows if row.state == "succeeded" and row.provider != "cpay"}
    assert charged == Counter(collected)


def _assert_withdrawals_are_paid_once(full_stack: FullStack) -> None:
    ours = full_stack.query(
        "SELECT o.reference, o.amount FROM payouts o JOIN withdrawals w ON w.id = o.withdrawal_id WHERE w.status = 'completed'"
    )
    assert len(ours) == WITHDRAWALS
    paid = [entry for entry in full_stack.book("paystack")["entries"] if entry["kind"] == "payout"]
    theirs = [(entry["reference"], _minor(entry["amount"], entry["currency"])) for entry in paid]
    assert Counter(theirs) == Counter((row.reference, row.amount) for row in ours)


def _assert_totals_agree(full_stack: FullStack) -> None:
    """Our clearing accounts against the simulators' own totals; CPay's, who has no book, against our payments."""
    clearing = dict(
        map(
            tuple,
            full_stack.query(
                "SELECT public_id, balance FROM account_balances WHERE public_id LIKE 'clearing:%'"
            ),
        )
    )
    theirs = {
        f"clearing:{provider}:{currency}": _minor(totals["refund"], currency)
        + _minor(totals["payout"], currency)
        - _minor(totals["charge"], currency)
        for provider in HTTP_PROVIDERS
        for currency, totals in full_stack.book(provider)["totals"].items()
    }
    rows = full_stack.query(
        "SELECT currency, sum(refunded - amount) FROM payments WHERE provider = 'cpay' AND status <> 'failed' GROUP BY 1"
    )
    theirs |= {f"clearing:cpay:{currency}": int(owed) for currency, owed in rows}
    assert clearing == theirs
    assert len(clearing) >= len(HTTP_PROVIDERS) + 1


def _assert_events(full_stack: FullStack) -> None:
    """Each change was recorded as one event."""
    for event, count in (
        ("payment.initiated", "true"),
        ("payment.completed", "status <> 'failed'"),
        ("payment.failed", "status = 'failed'"),
    ):
        wrong = full_stack.query(
            "SELECT p.id, p.status, count(e.seq) FROM payments p LEFT JOIN events e ON e.object_id = p.id::text "
            f"AND e.type = :event GROUP BY p.id, p.status HAVING count(e.seq) <> (CASE WHEN {count} THEN 1 ELSE 0 END)",
            event=event,
        )
        assert wrong == [], event
    assert full_stack.query("SELECT count(*) FROM events WHERE type = 'refund.completed'") == [(REFUNDS,)]


def _minor(amount: str, currency: str) -> int:
    return int(Decimal(amount).scaleb(MINOR_DIGITS.get(currency, 2)))

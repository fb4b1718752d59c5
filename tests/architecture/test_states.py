"""Rules about states: who assigns them, who locks their rows, and that no `match` forgets one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models.payment import AttemptState, PaymentAttempt, PaymentStatus, RefundState
from app.models.payment_review import Decision, ReviewGroup, ReviewReason
from app.models.withdrawal import PayoutState, WithdrawalState
from app.services.payments import reviews, states
from app.services.payments.rows import PaymentRows
from app.services.withdrawals import states as withdrawal_states
from app.services.withdrawals.rows import WithdrawalRows
from app.services.write_sets.rows import Aggregate
from tests.support.sources import text_of, trees

ROOT = Path(__file__).parents[2]
STATES = {"app/services/payments/states.py", "app/services/withdrawals/states.py"}
APPLY = ROOT / "app/services/write_sets/sql/write_set_apply.sql"
WITHDRAWAL_WRITE = APPLY.with_name("withdrawal_write.sql")
SUBJECTS = ("payments", "refunds", "payouts", "callbacks", "operator")


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    found = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in found:
        if target is not None:
            yield from target.elts if isinstance(target, ast.Tuple) else [target]


def test_only_the_state_tables_move_payments_attempts_and_refunds() -> None:
    """Breaks when a state is assigned past the table of allowed moves, on a row or by an UPDATE."""
    others = {"app/services/kyc/verification.py", "app/services/callbacks/inbox.py"}
    others |= {"app/services/callbacks/receive.py"}
    """They move KYC requests and provider events."""
    assigned = {
        path
        for path, tree in trees(
            "app/services", "app/worker", "app/cli", "app/events", having=r"\.(state|status)\b"
        )
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))
        for target in _targets(node)
        if isinstance(target, ast.Attribute) and target.attr in ("state", "status")
    }
    assert assigned - others == STATES
    update = re.compile(
        r"update\((Payment|PaymentAttempt|Refund|Withdrawal|Payout)\)|"
        r"UPDATE (payments|payment_attempts|refunds|withdrawals|payouts)\b"
    )
    assert [path for path in (ROOT / "app").rglob("*.py") if update.search(text_of(path))] == []


def test_state_tables_are_complete() -> None:
    tables = (
        (states.PAYMENT, PaymentStatus),
        (states.ATTEMPT, AttemptState),
        (states.REFUND, RefundState),
        (withdrawal_states.WITHDRAWAL, WithdrawalState),
        (withdrawal_states.PAYOUT, PayoutState),
    )
    for table, members in tables:
        assert set(table) == set(members)


def test_live_attempts_are_those_of_the_index() -> None:
    """Breaks when the code takes other attempts for live than the index that allows one of a payment."""
    (index,) = [one for one in PaymentAttempt.__table__.indexes if one.name == "payment_attempts_live"]
    condition = str(index.dialect_options["postgresql"]["where"])
    assert set(re.findall(r"'(\w+)'", condition)) == set(states.LIVE_ATTEMPTS)


def test_rows_of_payments_are_written_in_one_place() -> None:
    """Nothing locks or writes them but the function that compares what was read. Breaks when another way is added."""
    locking = {
        path
        for path, tree in trees(*(f"app/services/{name}" for name in SUBJECTS), having="with_for_update")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "with_for_update"
    }
    assert locking == set()
    tables = (
        r"\b(UPDATE|INSERT INTO|DELETE FROM) (payments|payment_attempts|refunds|payment_reviews|withdrawals|payouts|"
        r"withdrawal_approvals|withdrawal_reviews)\b"
    )
    writing = {path.name for path in (ROOT / "app").rglob("*.sql") if re.search(tables, text_of(path))}
    assert writing == {APPLY.name, WITHDRAWAL_WRITE.name}


@pytest.mark.parametrize(("function", "rows"), [(APPLY, PaymentRows), (WITHDRAWAL_WRITE, WithdrawalRows)])
def test_columns_that_change_are_those_the_function_updates(function: Path, rows: type[Aggregate]) -> None:
    """Breaks when a rule changes a column that is then not written."""
    updates = re.findall(r"UPDATE (\w+) \w SET\s+\(([^)]+)\) =", text_of(function))
    updated = {table: set(re.findall(r"\w+", columns)) for table, columns in updates}
    mutable = {model.__tablename__: set(columns) for model, columns in rows.mutable.items() if columns}
    assert updated == mutable


def test_every_match_over_an_enum_ends_in_assert_never() -> None:
    """Breaks when a new member falls through a `match` without a word."""
    folders = ("app/services", "app/providers", "app/events", "app/worker", "app/api")
    matches = [
        (f"{path}:{node.lineno}", ast.unparse(node.cases[-1]))
        for path, tree in trees(*folders, having=r"(?m)^\s*match ")
        for node in ast.walk(tree)
        if isinstance(node, ast.Match) and any(_names_a_member(case.pattern) for case in node.cases)
    ]
    assert matches
    assert [where for where, last in matches if "assert_never(" not in last] == []


def _names_a_member(pattern: ast.pattern) -> bool:
    return any(
        isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Attribute)
        for node in ast.walk(pattern)
    )


def test_reviews_and_decisions_are_complete() -> None:
    """Each reason can be decided about, each decision has a reason and a command, each group closes somehow."""
    from app.cli.payments import payments

    assert {decision for reason in ReviewReason for decision in reason.decisions} == set(Decision)
    assert all(reason.decisions for reason in ReviewReason)
    assert {decision.value for decision in Decision} <= set(payments.commands)
    by_group = {
        ReviewGroup.ANSWER: reviews.SETTLED_BY_ANSWER,
        ReviewGroup.REFUND: reviews.SETTLED_BY_REFUND,
        ReviewGroup.UNMATCHED_MONEY: reviews.UNMATCHED_MONEY,
    }
    for group in ReviewGroup:
        reasons = {reason for reason in ReviewReason if reason.group is group}
        assert reasons == by_group.get(group, reasons)
        if group is ReviewGroup.MANUAL:
            assert all(Decision.CLOSE_REVIEW in reason.decisions for reason in reasons)

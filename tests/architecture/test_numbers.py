"""Foreign JSON is read by app/json_numbers.py, and no Decimal becomes an int before it is bounded."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.sources import text_of, trees

ROOT = Path(__file__).parents[2]
READERS = {"app/json_numbers.py", "app/http/strict_json.py"}
READ_THEIR_OWN = {
    "app/sandbox/control.py",
    "app/sandbox/callback_sender.py",
    "app/sandbox/store.py",
    "app/services/idempotency_service.py",
    "app/services/payments/create.py",
    "app/services/provider_access/adapters.py",
}
"""What the application itself wrote, into its database."""

BOUNDED_BEFORE = {
    "app/json_numbers.py",
    "app/money.py",
    "app/http/fields.py",
    "app/api/processing/schemas/metadata.py",
    "app/cli/fees.py",
    "app/sandbox/paystack/fees.py",
}
"""Where a number is made whole: after its exponent was checked."""

OF_MONEY = {"app/providers/cpay/triggers.py"}
"""Decimals made of the gateway's own Money; in the simulators, of amounts they have checked."""


def _with(pattern: str) -> set[str]:
    paths = ((path, text_of(path)) for path in (ROOT / "app").rglob("*.py"))
    return {str(path.relative_to(ROOT)) for path, text in paths if re.search(pattern, text)}


def test_json_of_others_is_read_by_one_reader() -> None:
    assert _with(r"\bparse_(float|int)\b|JSONDecoder") == READERS
    assert _with(r"(?<!or)json\.loads?\(|\.json\(\)|import loads") == {"app/json_numbers.py"} | READ_THEIR_OWN
    assert all(path.startswith("app/sandbox/") for path in _with(r"\.get_json\("))
    assert "json_numbers.loads" in (ROOT / "app/sandbox/app.py").read_text()  # what get_json reads with there


def test_a_number_is_bounded_before_it_is_made_whole() -> None:
    assert _with(r"to_integral|as_integer_ratio|__trunc__") == BOUNDED_BEFORE
    found = {
        f"{path}: {function.name}"
        for path, tree in trees("app", having=r"\bDecimal\b")
        if path not in BOUNDED_BEFORE | OF_MONEY and not path.startswith("app/sandbox/")
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and _makes_int_of_decimal(function)
    }
    assert found == set()


def _makes_int_of_decimal(function: ast.FunctionDef) -> bool:
    """Whether it both names Decimal and calls int(): `json_numbers.whole` is for that."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return "Decimal" in names and any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "int"
        for node in ast.walk(function)
    )

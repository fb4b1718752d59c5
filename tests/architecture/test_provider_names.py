"""Providers' names are known where providers are: in their adapters, the registry and their simulators."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from app.providers import NAMES, PROVIDERS
from app.providers.base import PayoutMethod
from tests.support.sources import trees

HOME = {"providers/__init__.py", "sandbox/app.py", "sandbox/api.py", "sandbox/dashboard.py"}
"""The registry, and where the simulators are registered."""
OTHER_MEANINGS = {PayoutMethod.MPESA.value}
"""A payout to a phone is a method of several providers'."""
EXAMPLES = re.compile(r"^api/(gateway|tenant)/schemas/|^http/openapi/document.py$|^config/tables.py$")
"""Samples of the API's documentation and of a setting's form."""
TITLES = [adapter.title for adapter in PROVIDERS.values()]


def _named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.lineno, node.value
        elif isinstance(
            node, ast.Name | ast.Attribute | ast.alias | ast.arg | ast.ClassDef | ast.FunctionDef
        ):
            yield node.lineno, str(vars(node).get("id") or vars(node).get("attr") or vars(node).get("name"))


def _is_a_name(text: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text)
    return bool({word.lower() for word in words} & set(NAMES)) or any(title in text for title in TITLES)


def test_no_other_module_names_a_provider() -> None:
    own = re.compile(rf"^(providers|sandbox)/({'|'.join(PROVIDERS)})/")
    found = [
        f"{path}:{line} {word[:40]!r}"
        for file, tree in trees("app", having=f"(?i){'|'.join([*NAMES, *TITLES])}")
        if not own.match(path := file.removeprefix("app/")) and path not in HOME and not EXAMPLES.match(path)
        for line, word in _named(tree)
        if _is_a_name(word) and word not in OTHER_MEANINGS and word != "MPESA"
    ]
    assert found == []

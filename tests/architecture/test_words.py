"""Identifiers use the field's standard terms: one word for one thing, no private vocabulary."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.sources import trees

WORDS = (
    r"house|news|told|said|strangers?|nobody|somebody|surroundings|sheet|standing|door|town|stage|crowd|diary|portal"
    r"|bury|hurry|rearm|booked|drive|cash_movement|(take|taken|took|give|gave|come|came)_back|(take|took)_over"
    r"|(give|gives|gave)_up|made_elsewhere|house_account|tenant_wallets"
)
"""Words that once stood for: platform, callback, reported, answered, unmatched, context, detail, operations, post, …"""
NOT_OURS = re.compile(rf"(^|_)({WORDS})(_|$)")


def _identifiers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.Name(id=name)
                | ast.Attribute(attr=name)
            ):
                yield name
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name


def test_identifiers_use_the_standard_terms() -> None:
    found = {
        f"{path}: {name}"
        for path, tree in trees("app", "launcher", "bench", "tour", having=f"(?i){WORDS.replace('_', '_?')}")
        for name in _identifiers(tree)
        if NOT_OURS.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    }
    assert found == set()

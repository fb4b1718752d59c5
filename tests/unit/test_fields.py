"""Fields convert nothing and guess nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import marshmallow as ma
import pytest

from app.http import fields
from app.http.schema import Schema


class Everything(Schema):
    text = fields.Text(max_length=5)
    code = fields.Text(pattern=r"[A-Z]{3}")
    choice = fields.Choice("personal", "business")
    count = fields.WholeNumber(minimum=1, maximum=10)
    page = fields.QueryNumber(minimum=1, maximum=100)
    amount = fields.Amount()
    currency = fields.Currency()
    metadata = fields.JsonObject()
    items = fields.ListOf(fields.Text(), maximum=2)


def test_an_amounts_text_is_read_as_its_number() -> None:
    loaded = Everything().load({"amount": "1.10"})
    assert loaded == {"amount": Decimal("1.10")} and isinstance(loaded["amount"], Decimal)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", "é😀"),
        ("text", "a b"),
        ("code", "USD"),
        ("choice", "personal"),
        ("count", 1),
        ("count", 10),
        ("amount", 1),
        ("amount", Decimal("1.10")),
        ("amount", "1.1.0"),
        ("amount", None),
        ("amount", True),
        ("amount", [1]),
        ("amount", {"a": 1}),
        ("currency", "USD"),
        ("currency", "X Y"),
        ("metadata", {}),
        ("metadata", {"a": [Decimal("1.5"), {"b": None}]}),
        ("items", ["a", "b"]),
    ],
)
def test_kept_as_it_came(field: str, value: Any) -> None:
    assert Everything().load({field: value}) == {field: value}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 5),
        ("text", None),
        ("text", ""),
        ("text", "toolong"),
        ("text", "a\nb"),
        ("text", "\x7f"),
        ("text", "a\u2028b"),
        ("text", ["a"]),
        ("text", True),
        ("code", "usd"),
        ("code", "USDX"),
        ("code", "USD\n"),
        ("code", "ＵＳＤ"),
        ("choice", "Personal"),
        ("choice", ["personal"]),
        ("choice", None),
        ("choice", {}),
        ("count", "1"),
        ("count", True),
        ("count", Decimal("1.0")),
        ("count", 1.0),
        ("count", 0),
        ("count", 11),
        ("count", 10**30),
        ("page", "1_0"),
        ("page", "１"),
        ("page", "+1"),
        ("page", " 1"),
        ("page", "1.0"),
        ("page", "0"),
        ("page", "-1"),
        ("page", "9" * 5000),
        ("page", ""),
        ("currency", None),
        ("currency", 5),
        ("currency", ""),
        ("currency", {}),
        ("currency", []),
        ("currency", False),
        ("metadata", []),
        ("metadata", "x"),
        ("metadata", None),
        ("metadata", {"a": 2**64}),
        ("metadata", {"a": Decimal("1e309")}),
        ("metadata", {"a": Decimal("1e-999")}),
        ("metadata", {"a": "x" * fields.MAX_METADATA_BYTES}),
        ("items", []),
        ("items", ["a", "b", "c"]),
        ("items", "ab"),
        ("items", {"0": "a"}),
        ("items", [5]),
    ],
)
def test_refused(field: str, value: Any) -> None:
    with pytest.raises(ma.ValidationError) as refusal:
        Everything().load({field: value})
    assert list(refusal.value.normalized_messages()) == [field]


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ma.ValidationError) as refusal:
        Everything().load({"balance": "1000000"})
    assert refusal.value.normalized_messages() == {"balance": ["This field is not known here."]}

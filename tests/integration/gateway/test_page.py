"""The commands of docs/api/gateway.md, pasted into a shell beside a running demo, and its example of an answer."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from launcher.paths import PROJECT
from tests.contract.conftest import demo, stack  # noqa: F401 fixtures
from tests.contract.wallet.test_pages import answers, blocks, paste
from tests.support.stack import Stack

PAGE = (PROJECT / "docs/api/gateway.md").read_text(encoding="utf-8")


def test_the_pages_commands(demo: Stack, tmp_path: Path) -> None:  # noqa: F811 the fixture
    printed_answers = answers(paste(demo, blocks(PAGE, "sh"), tmp_path))
    looked, verified, listed, providers, refunded, refunds, cancelled, *operators = printed_answers
    assert looked["data"]["status"] == verified["data"]["status"] == "completed"
    assert [item["id"] for item in listed["data"]["items"]] == [looked["data"]["id"]]
    assert "cpay" in {provider["name"] for provider in providers["data"]}
    assert refunded["data"]["status"] == "partially_refunded"
    assert [refund["amount"] for refund in refunds["data"]] == ["250.00"]
    assert cancelled["data"]["status"] == "cancelled"
    assert len(operators) == 6 and all(answer["success"] for answer in operators)


def test_the_pages_example_has_the_fields_of_the_answer(demo: Stack) -> None:  # noqa: F811 the fixture
    """Asked as document 001 asks: without a credential."""
    example = json.loads(blocks(PAGE, "json")[0])
    example_body = {
        "provider": "cpay",
        "amount": 1000,
        "currency": "KES",
        "customer": {"phone": "+254700000000"},
    }
    answer = requests.post(
        f"{demo.url}/api/v1/payments/initialize",
        json=example_body,
        headers={"Idempotency-Key": "page"},
        timeout=30,
    )
    assert answer.status_code == 201
    assert answer.json()["data"].keys() == example["data"].keys()
    listed = requests.get(f"{demo.url}/api/v1/payments", timeout=30).json()["data"]
    assert listed["pagination"].keys() == json.loads(blocks(PAGE, "json")[1])["data"]["pagination"].keys()

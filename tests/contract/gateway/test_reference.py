"""docs/api/gateway.md: its commands, pasted from top to bottom, and its examples compared with the real answers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests
from flask import Flask

from launcher.paths import PROJECT
from tests.support.demo import run_command
from tests.support.pages import answers, blocks, run_script
from tests.support.stack import Stack

PAGE = (PROJECT / "docs/api/gateway.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def printed(stack: Stack, stack_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What a reader who pastes every command of the page sees, in order."""
    run_command(stack_app, "demo", "reset")
    script = "\n".join(["set -euo pipefail", *blocks(PAGE, "sh")])
    return answers(run_script(stack, script, tmp_path_factory.mktemp("reader")))


def test_every_command_works(printed: list[dict[str, Any]]) -> None:
    shown = len(re.findall(r"^\s*curl|^curl", "\n".join(blocks(PAGE, "sh")), re.MULTILINE))
    assert len(printed) == shown, "a command printed nothing"
    assert all(answer["success"] is True for answer in printed), printed


def examples() -> list[dict[str, Any]]:
    return [json.loads(block) for block in blocks(PAGE, "json")]


def test_the_payment_is_the_one_of_the_page(printed: list[dict[str, Any]]) -> None:
    example = examples()[0]["data"]
    looked = printed[0]["data"]
    # Only initialize answers the token; the rest of the command's answer is taken apart by the page itself.
    assert set(example) - {"realtime_token"} == set(looked)
    assert set(example["customer"]) == set(looked["customer"])
    for name in (
        "provider",
        "amount",
        "currency",
        "status",
        "customer",
        "payment_method",
        "metadata",
        "payment_url",
        "refunded_amount",
        "failure_reason",
        "review",
    ):
        assert looked[name] == example[name], name


def test_the_list_is_the_one_of_the_page(printed: list[dict[str, Any]]) -> None:
    listed = next(answer for answer in printed if "pagination" in answer["data"])
    assert listed["data"]["pagination"] == examples()[1]["data"]["pagination"]


def test_the_refund_is_the_one_of_the_page(printed: list[dict[str, Any]]) -> None:
    (example,) = examples()[2]["data"]
    (refund,) = next(
        answer["data"]
        for answer in printed
        if isinstance(answer["data"], list) and "payment_id" in answer["data"][0]
    )
    assert set(refund) == set(example)
    changing = {"id", "payment_id", "provider_refund_id", "created_at", "completed_at"}
    assert {name: refund[name] for name in set(example) - changing} == {
        name: example[name] for name in set(example) - changing
    }


def test_the_page_names_every_status(stack: Stack) -> None:
    document = requests.get(f"{stack.url}/openapi.json", timeout=30).json()
    known = document["components"]["schemas"]["Transaction"]["properties"]["status"]["enum"]
    table = PAGE.split("| `status` | |")[1].split("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", table)) == set(known)


def test_the_pages_example_has_the_fields_of_the_answer(merchant: Stack) -> None:
    """Without a credential, as the demo allows."""
    example = json.loads(blocks(PAGE, "json")[0])
    example_body = {
        "provider": "cpay",
        "amount": 1000,
        "currency": "KES",
        "customer": {"phone": "+254700000000"},
    }
    answer = requests.post(
        f"{merchant.url}/api/v1/payments/initialize",
        json=example_body,
        headers={"Idempotency-Key": "page"},
        timeout=30,
    )
    assert answer.status_code == 201
    assert answer.json()["data"].keys() == example["data"].keys()
    listed = requests.get(f"{merchant.url}/api/v1/payments", timeout=30).json()["data"]
    assert listed["pagination"].keys() == json.loads(blocks(PAGE, "json")[1])["data"]["pagination"].keys()

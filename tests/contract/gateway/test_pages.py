"""What the README and the pages about payments say, held against the gateway."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from app.cli.payments import payments
from app.cli.provider_accounts import accounts
from app.events.catalogue import EventType
from app.models.payment_review import Decision, ReviewReason
from app.providers import PROVIDERS
from app.services.payments import states as payment_states
from launcher.paths import PROJECT
from tests.contract.wallet.test_pages import README
from tests.support.pages import answers, blocks
from tests.support.stack import Stack
from tests.support.waiting import wait_until

PAYMENTS = (PROJECT / "docs/payments.md").read_text(encoding="utf-8")
OPERATIONS = (PROJECT / "docs/operations.md").read_text(encoding="utf-8")
EVENTS = (PROJECT / "docs/events.md").read_text(encoding="utf-8")


def test_the_readmes_first_provider_payment(demo: Stack, shell: dict[str, str], tmp_path: Path) -> None:
    _, _, _, ask, look = blocks(README, "sh")
    (asked,) = answers(_paste(ask, demo, shell, tmp_path))
    assert asked["data"]["status"] == "processing"
    sleep, _, look = look.partition("\n")
    assert sleep == "sleep 4"  # the reader's; a busy machine may take longer

    def listed() -> list[str]:
        (answer,) = answers(_paste(look, demo, shell, tmp_path))
        return [item["id"] for item in answer["data"]["items"]]

    wait_until(listed, "a completed payment in the list", every_s=0.3)
    assert listed() == [asked["data"]["id"]]


def _paste(command: str, stack: Stack, environment: dict[str, str], folder: Path) -> str:
    script = "set -euo pipefail\n" + command.replace("localhost:5000", f"localhost:{stack.port}")
    done = subprocess.run(
        ["bash", "-c", script],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readmes_command_is_the_documents() -> None:
    document = Path(__file__).with_name("document_001.txt").read_text(encoding="utf-8")
    assert blocks(README, "sh")[3] in document


def test_the_readme_names_every_provider_with_its_page() -> None:
    table = README.split("## The providers")[1].split("\n## ")[0]
    for name, adapter in PROVIDERS.items():
        assert f"| [{adapter.title}](docs/providers/{name}.md)" in table, name
        assert (PROJECT / f"docs/providers/{name}.md").exists(), name


def test_the_readmes_table_of_providers_is_what_they_can_do() -> None:
    table = README.split("## The providers")[1].split("\n## ")[0]
    for name, adapter in PROVIDERS.items():
        (row,) = [line for line in table.splitlines() if f"providers/{name}.md" in line]
        _, _, collects, customer, refunds, payouts, _ = (cell.strip() for cell in row.split("|"))
        can = adapter.capabilities
        named = set(re.findall(r"\b[A-Z]{3}\b", collects))
        assert not named or named == set(can.currencies), name
        assert ("page" in customer) is can.has_payment_page, name
        assert (refunds == "partial") is (can.can_refund_partially and can.can_refund_repeatedly), name
        assert (payouts == "none") is (not can.payouts), name


def test_every_event_is_in_the_catalogues_page() -> None:
    known = {event_type.value for event_type in EventType}
    listed = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", EVENTS.split("## The catalogue")[1].split("\n## ")[0]))
    assert listed == known


@pytest.mark.parametrize("group", [payments, accounts], ids=["payments", "provider-account"])
def test_every_operators_command_is_on_the_operations_page(group) -> None:
    for name in group.commands:
        assert f"`flask {group.name} {name}" in OPERATIONS, name
    if group is payments:
        assert set(re.findall(r"flask payments ([a-z-]+)", PAYMENTS)) == set(group.commands)


def test_every_reason_for_a_review_is_explained() -> None:
    table = PAYMENTS.split("| review | what happened | what to do |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z_]+)`", table, re.MULTILINE)) == set(ReviewReason)


def test_the_decisions_in_the_table_are_those_a_reason_allows() -> None:
    table = PAYMENTS.split("| review | what happened | what to do |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \|.*?\|(.*)\|$", table, re.MULTILINE)
    for name, advice in rows:
        (reason,) = [known for known in ReviewReason if known == name]
        named = set(re.findall(r"`([a-z-]+)`", advice)) & set(Decision)
        assert named <= set(reason.decisions), name


@pytest.mark.parametrize(
    ("heading", "table"),
    [("## A payment's status", payment_states.PAYMENT), ("## Attempts", payment_states.ATTEMPT)],
)
def test_every_status_is_explained(heading: str, table) -> None:
    section = PAYMENTS.split(heading)[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", section, re.MULTILINE)
    explained = {word for row in rows for word in re.findall(r"`([a-z_]+)`", row)}
    assert explained == set(table)


def test_json_on_the_pages_is_json() -> None:
    for name in ("docs/api/gateway.md", "docs/providers/cpay.md"):
        examples = blocks((PROJECT / name).read_text(encoding="utf-8"), "json")
        assert examples, name
        for example in examples:
            json.loads(example)

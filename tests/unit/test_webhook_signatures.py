"""What messages are signed with, and that the documentation's programs accept it, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.services.webhooks import signing
from tests.support.node import NODE

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text(encoding="utf-8")
BODY = '{"id":"evt_1","type":"payment.completed","data":{"name":"Zoë"}}'.encode()

NODE_MAIN = """
const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map((one) => verify(one.secret, one.headers, Buffer.from(one.body)))));
"""
PHP_MAIN = """
$cases = json_decode(file_get_contents('php://stdin'), true);
echo json_encode(array_map(fn ($one) => verify($one['secret'], $one['headers'], $one['body']), $cases));
"""


def _snippet(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, language
    return found[1]


def _headers(*keys: str, at: datetime, body: bytes = BODY) -> dict[str, str]:
    made = signing.headers("evt_1", body, keys=keys, now=at)
    return {name.lower(): value for name, value in made.items()}


def _cases() -> list[tuple[dict[str, Any], bool]]:
    now, new, old = datetime.now(UTC), signing.new_secret(), signing.new_secret()
    both = _headers(new, old, at=now)
    good = {"secret": new, "headers": both, "body": BODY.decode()}
    return [
        (good, True),
        (good | {"secret": old}, True),
        (good | {"headers": _headers(new, at=now)}, True),
        (good | {"secret": signing.new_secret()}, False),
        (good | {"body": BODY.decode() + " "}, False),
        (good | {"headers": both | {"webhook-id": "evt_2"}}, False),
        (good | {"headers": both | {"webhook-signature": "v1,"}}, False),
        (good | {"headers": _headers(new, at=now - timedelta(minutes=6))}, False),
        (good | {"headers": _headers(new, at=now + timedelta(minutes=6))}, False),
    ]


def _run(program: list[str], cases: list[dict[str, Any]]) -> list[bool]:
    done = subprocess.run(program, input=json.dumps(cases), capture_output=True, text=True, check=True)
    answers: list[bool] = json.loads(done.stdout)
    return answers


def test_the_pages_python_program() -> None:
    names: dict[str, Any] = {}
    exec(_snippet("python"), names)
    for case, expected in _cases():
        found = names["verify"](case["secret"], case["headers"], case["body"].encode())
        assert found is expected, case


def test_the_pages_node_program(tmp_path: Path) -> None:
    program = tmp_path / "verify.js"
    program.write_text(_snippet("javascript") + NODE_MAIN)
    cases, expected = zip(*_cases(), strict=True)
    assert _run([NODE, str(program)], list(cases)) == list(expected)


@pytest.mark.skipif(shutil.which("php") is None, reason="there is no PHP on this machine")
def test_the_pages_php_program(tmp_path: Path) -> None:
    program = tmp_path / "verify.php"
    program.write_text("<?php\n" + _snippet("php") + PHP_MAIN)
    cases, expected = zip(*_cases(), strict=True)
    assert _run(["php", str(program)], list(cases)) == list(expected)

"""Redocly finds nothing to say about the document."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.node import run


def test_redocly_has_neither_errors_nor_warnings(javascript: Path, document_file: Path) -> None:
    done = run(
        javascript,
        "@redocly/cli/bin/cli.js",
        "lint",
        str(document_file),
        "--config",
        "redocly.yaml",
        "--format=json",
    )
    found = json.loads(done.stdout)
    problems = [f"{problem['ruleId']}: {problem['message']}" for problem in found["problems"]]
    assert done.returncode == 0 and problems == [], "\n".join(problems)
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}

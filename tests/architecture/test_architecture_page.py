"""docs/architecture.md names files and functions that exist, and a journey is followed in at most twelve files."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \| `(app/[^`]+)` \| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)
MOST = 12


def _defines(path: str, function: str) -> bool:
    source = (ROOT / path).read_text(encoding="utf-8")
    return bool(re.search(rf"^\s*def {function}\(|FUNCTION {function}\(", source, re.MULTILINE))


def test_functions_of_the_tables_are_in_their_files() -> None:
    rows = [(path, name) for _, path, names in ROW.findall(PAGE) for name in re.findall(r"\w+", names)]
    assert len(rows) > 40
    missing = [
        f"{path}: {name}" for path, name in rows if not (ROOT / path).is_file() or not _defines(path, name)
    ]
    assert missing == []


def test_functions_of_the_diagrams_are_in_the_journeys_tables() -> None:
    for journey in PAGE.split("\n## ")[2:]:
        diagram, table = journey.split("```mermaid")[1].split("```")
        tabled = {name for _, _, names in ROW.findall(table) for name in re.findall(r"\w+", names)}
        assert set(re.findall(r"(\w+)\(\)", diagram)) <= tabled, journey.splitlines()[0]
        for file in re.findall(r"as (\w+/\w+\.py|\w+/\w+/\w+\.py)$", diagram, re.MULTILINE):
            assert list((ROOT / "app").rglob(file)) or (ROOT / "app" / file).is_file(), file


def test_a_journey_is_followed_in_at_most_twelve_files() -> None:
    for journey in PAGE.split("\n## ")[2:]:
        numbers = [int(number) for number, _, _ in ROW.findall(journey)]
        assert numbers == list(range(1, len(numbers) + 1)), journey.splitlines()[0]
        assert 0 < len(numbers) <= MOST, journey.splitlines()[0]

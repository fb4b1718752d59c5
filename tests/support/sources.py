"""The project's Python files, for rules about them. A rule names the words it is about: only files with them are parsed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from launcher.paths import PROJECT


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def trees(*folders: str, having: str) -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of each file below these folders in whose text the pattern is found."""
    pattern = re.compile(having)
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            if pattern.search(text_of(path)):
                yield str(path.relative_to(PROJECT)), ast.parse(text_of(path))

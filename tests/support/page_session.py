"""All that a reader asks who pastes every command of a page, from top to bottom, and what is answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.pages import blocks, run_script
from tests.support.stack import Stack

_SEPARATOR: Final = "\x1e"
_CURL: Final = rf"""
set -euo pipefail
curl() {{
  printf '%s\{ord(_SEPARATOR):o}' "$*" >> asked
  command curl $FAILS "$@" | tee -a answered || return
  printf '\{ord(_SEPARATOR):o}' >> answered
}}
"""
"""Requests and answers are kept, also those that the page takes apart itself."""


@dataclass(frozen=True)
class Exchange:
    """One command's arguments, and what it printed."""

    command: str
    text: str

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.text)
        return body


@dataclass(frozen=True)
class PageSession:
    """All that a reader sent who pasted every command of the page."""

    exchanges: list[Exchange]

    def asked(self, words: str) -> Exchange:
        """The only request that matches the pattern."""
        (found,) = [one for one in self.exchanges if re.search(words, one.command)]
        return found


def run_page(stack: Stack, page: str, folder: Path, *, may_be_refused: bool = False) -> PageSession:
    """Paste the page's `sh` blocks. A refusal ends the script, unless the page shows refusals."""
    fails = "FAILS=" + ("" if may_be_refused else "--fail-with-body")
    run_script(stack, fails + _CURL + "\n".join(blocks(page, "sh")), folder)
    pairs = zip(_kept(folder / "asked"), _kept(folder / "answered"), strict=True)
    return PageSession([Exchange(*pair) for pair in pairs])


def _kept(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split(_SEPARATOR)[:-1]
